"""Learned scores in a corpus: the best share of a language is the same however pages are cut into files."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from lauter.pipeline import schema
from lauter.pipeline.audit import audit
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.storage import Storage
from lauter.stages.log_odds import HALF
from tests.pipeline.small_run import build, ledger
from tests.pipeline.small_stages import CATALOGUE
from tests.stages.embedding.encoders import make_head, parameters
from tests.stages.encoders.small_tokenizer import TEXTS


class NoConfig(StageConfig):
    """No parameters."""


class German:
    """Says that every text is German."""

    name: ClassVar[str] = "german"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language")
    scores: ClassVar[pa.Schema] = pa.schema([schema.DOCUMENT.field("language")])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        return Verdict(np.zeros(batch.num_rows, np.uint8), {"language": pa.array(["deu_Latn"] * batch.num_rows)})


STAGES = {
    "german": "tests.stages.embedding.test_build:German",
    "embedding": "lauter.stages.embedding.stage:Embedding",
}
WITH_STAGES = replace(CATALOGUE, stages={**CATALOGUE.stages, **STAGES})


def manifest_of(folder: Path, pages: list[str], cuts: list[int], embedding: dict[str, object]) -> Path:
    """Pages in as many files as there are cuts."""
    folder.mkdir(exist_ok=True)
    bounds = [0, *cuts, len(pages)]
    for number, (first, last) in enumerate(pairwise(bounds)):
        file = folder / f"{number}.txt"
        if not file.exists():
            file.write_text("\n".join(pages[first:last]))
    manifest = {
        "name": "learned",
        "sources": [{"name": "pages", "kind": "lines", "paths": ["*.txt"]}],
        "stages": ["german", {"embedding": embedding}],
        "sharding": {"cells": 8},
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path


def ended(out: Path) -> dict[str, tuple[str, str]]:
    """URL -> reason and evidence of what was dropped."""
    rows = [row for row in ledger(out) if row["verdict"] != "kept"]
    return {str(row["url"]): (str(row["reason"]), row["rule"]["agent"]) for row in rows}  # type: ignore[index]


def test_the_best_share_is_the_same_in_any_order_and_place_without_reading_text(folder: Path, tmp_path: Path) -> None:
    words = TEXTS[3].split()
    generator = np.random.default_rng(0)
    pages = [f"page{n}\t{TEXTS[3]} {' '.join(generator.permutation(words))}" for n in range(40)]
    make_head(tmp_path / "quality", folder, ("deu_Latn",))
    decision = {"quality": {"keep_best": 0.25, "min_documents": 40}}
    stage = parameters(folder, {"quality": [str(tmp_path / "quality")]})
    out = tmp_path / "out"
    outcome = build(
        manifest_of(tmp_path / "one", pages, [], stage | {"decisions": decision}), out, catalogue=WITH_STAGES
    )
    found = ended(out)
    assert len(found) == 30
    assert set(found.values()) == {("head-score-too-low", "quality")}
    scores = [
        value
        for path in sorted((out / "scores").rglob("*.parquet"))
        for value in pq.read_table(path).column("embedding_scores").to_pylist()
    ]
    assert len({value for (value,) in scores}) > 25
    assert all(0 < value < 2 * HALF for (value,) in scores)
    section = next(section for section in outcome.corpus["sections"] if section["stage"] == "embedding")
    assert section["tables"][0]["rows"] == [["quality", "the best 0.25 of a language", 1, 0, 30]]
    assert audit(Storage(str(out)), WITH_STAGES).violations == []

    placed = stage | {"decisions": decision, "placement": {"cpus": 1.0}}
    build(manifest_of(tmp_path / "two", pages[::-1], [7, 31], placed), tmp_path / "other", catalogue=WITH_STAGES)
    assert ended(tmp_path / "other") == found

    before = {file: file.stat().st_mtime_ns for file in (out / "scores").rglob("*.parquet")}
    build(manifest_of(tmp_path / "one", pages, [], stage), out, catalogue=WITH_STAGES)
    assert ended(out) == {}
    assert {file: file.stat().st_mtime_ns for file in (out / "scores").rglob("*.parquet")} == before
