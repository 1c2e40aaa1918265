"""Builds small corpora with the test stages, and says what is in a run folder."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rich.console import Console

from lauter.pipeline.build import BuildOptions, BuildOutcome, build_corpus
from lauter.pipeline.manifest import Catalogue
from lauter.pipeline.resolve import load
from tests.pipeline.small_stages import CATALOGUE

COMPARED = ("documents", "scores", "decisions", "cuts", "ledger", "tokens", "proof")


def write_manifest(folder: Path, files: Mapping[str, str], stages: list[object] | None = None, **sharding: int) -> Path:
    """A manifest over text files, one source for each first letter of their names."""
    for name, content in files.items():
        (folder / name).write_text(content)
    sources = sorted({name[0] for name in files})
    manifest = {
        "name": "small",
        "seed": 7,
        "sources": [{"name": f"source-{s}", "kind": "lines", "paths": [f"{s}*.txt"]} for s in sources],
        "stages": stages if stages is not None else ["words", {"length": {"min_words": 2}}, "same-text"],
        "sharding": {"tokens_per_shard": 200, "tokens_per_row_group": 80, "cells": 8, **sharding},
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path


def build(
    manifest: Path, out: Path | str, executor: str = "inline", workers: int = 1, catalogue: Catalogue = CATALOGUE
) -> BuildOutcome:
    """Build, quietly."""
    return build_corpus(
        load(str(manifest), catalogue), BuildOptions(str(out), executor, workers, None), Console(file=io.StringIO())
    )


def digests(out: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file that must not depend on how it was made."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in COMPARED
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


def ledger(out: Path) -> list[dict[str, object]]:
    """All ledger rows, in part order."""
    tables = [pq.read_table(path) for path in sorted((out / "ledger").rglob("*.parquet"))]
    plain = [
        table.set_column(i, field.name, table.column(i).cast(pa.string()))
        if pa.types.is_dictionary(field.type)
        else table
        for table in tables
        for i, field in enumerate(table.schema)
        if field.name == "verdict"
    ]
    rows: list[dict[str, object]] = pa.concat_tables(plain, promote_options="permissive").to_pylist() if plain else []
    return rows


def tokens(out: Path) -> list[dict[str, object]]:
    """All token rows, in shard order."""
    rows: list[dict[str, object]] = []
    for path in sorted((out / "tokens").rglob("*.parquet")):
        rows += pq.read_table(path).to_pylist()
    return rows
