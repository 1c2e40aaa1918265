"""Decontamination in a corpus: from the manifest to the ledger, and what a changed limit runs again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lauter.pipeline.audit import audit
from lauter.pipeline.cli import app
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, ledger
from tests.pipeline.small_stages import CATALOGUE

WITH_STAGE = replace(
    CATALOGUE, stages={**CATALOGUE.stages, "decontaminate": "lauter.stages.decontaminate.stage:Decontaminate"}
)
ITEM = "A robe takes two bolts of blue fiber and half that much white fiber how many bolts in total does it take"
QUOTE = "four score and seven years ago our fathers brought forth on this continent a new nation"


def manifest_of(folder: Path, **parameters: object) -> Path:
    """Two files of pages: one holds an item, one half of it, and twelve a quotation that a benchmark has too."""
    pages = {"leak": f"seen: {ITEM.upper()}?", "half": " ".join(ITEM.split()[:9]), "clean": "nothing of the kind"}
    pages |= {f"quote{number}": f"{number} {QUOTE} {number}" for number in range(12)}
    lines = [f"{name}\t{text}" for name, text in pages.items()]
    if not (folder / "evals").exists():
        (folder / "a.txt").write_text("\n".join(lines[::2]))
        (folder / "b.txt").write_text("\n".join(lines[1::2]))
        (folder / "evals").mkdir()
        items = [json.dumps({"q": text}) for text in ("Two plus two?", ITEM)]
        (folder / "evals/math.jsonl").write_text("\n".join(items))
        (folder / "evals/history.txt").write_text(f"{QUOTE}\n")
    stage = {"benchmarks": {"math": "evals/math*.jsonl", "history": ["evals/history.txt"]}, "fields": {"math": "q"}}
    manifest = {
        "name": "clean",
        "sources": [{"name": "pages", "kind": "lines", "paths": ["*.txt"]}],
        "stages": ["words", {"decontaminate": {**stage, **parameters}}],
        "sharding": {"cells": 8},
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path


def ended(out: Path) -> dict[str, Any]:
    """Name of a page -> the evidence against it, of those that were dropped."""
    rows = [row for row in ledger(out) if row["verdict"] != "kept"]
    assert {row["reason"] for row in rows} <= {"contaminated"}
    return {str(row["url"]).removeprefix("https://").removesuffix(".example/"): row["rule"] for row in rows}


def test_from_the_manifest_to_the_ledger(tmp_path: Path) -> None:
    path, out = manifest_of(tmp_path), tmp_path / "out"
    outcome = build(path, out, catalogue=WITH_STAGE)
    found = ended(out)
    assert set(found) == {"leak", *(f"quote{number}" for number in range(12))}
    text = " ".join(ITEM.split()[:8])
    assert found["leak"] == {"agent": "math", "signal": "tulu", "line": 2, "text": text}
    assert found["quote3"]["agent"] == "history" and found["quote3"]["line"] == 1
    (section,) = outcome.corpus["sections"]
    assert section["tables"][0]["rows"] == [["history", 1, 0, 0, 12], ["math", 2, 0, 1, 1]]
    assert audit(Storage(str(out)), WITH_STAGE).violations == []
    before = {file: file.stat().st_mtime_ns for file in (out / "documents").rglob("*.parquet")}
    build(manifest_of(tmp_path, min_ratio=0.4), out, catalogue=WITH_STAGE)
    assert set(ended(out)) == set(found) | {"half"}
    assert {file: file.stat().st_mtime_ns for file in (out / "documents").rglob("*.parquet")} == before
    (tmp_path / "evals/history.txt").write_text("something else that is in no page of this small corpus\n")
    build(path, out, catalogue=WITH_STAGE)
    assert set(ended(out)) == {"leak", "half"}, "the index is compiled anew when a file of a benchmark changes"


def test_a_frequent_run_counts_for_nothing_over_all_files(tmp_path: Path) -> None:
    build(manifest_of(tmp_path, rule="gpt3"), tmp_path / "out", catalogue=WITH_STAGE)
    assert set(ended(tmp_path / "out")) == {"leak"}, "the quotation stands in twelve documents, six a file"
    build(manifest_of(tmp_path, rule="gpt3", max_documents=12), tmp_path / "out", catalogue=WITH_STAGE)
    assert len(ended(tmp_path / "out")) == 13
    build(manifest_of(tmp_path, rule="gpt3", max_documents=None), tmp_path / "out", catalogue=WITH_STAGE)
    assert len(ended(tmp_path / "out")) == 13


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"benchmarks": {"math": "evals/none.jsonl"}, "fields": {}}, "benchmarks.math: no file matches|is not there"),
        ({"fields": {"math": "question"}}, "math.jsonl: no text in field 'question' of its first 2 rows; there is 'q'"),
        ({"fields": {}}, "name those to look for under `fields`; there is 'q'"),
        ({"fields": {"maths": "q"}}, "`fields` names maths, and no benchmark is called so"),
        ({"benchmarks": {"math": "s3://bucket/x.jsonl"}, "fields": {}}, "must be a local file"),
        ({"rule": "llama"}, "rule: "),
    ],
)
def test_what_cannot_work_is_told_before_any_work(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ManifestError) as error:
        load(str(manifest_of(tmp_path, **change)), WITH_STAGE)
    assert any(part in str(error.value) for part in said.split("|")), error.value
    assert "manifest.yaml:" in str(error.value)


def test_the_manual_shows_it() -> None:
    shown = CliRunner().invoke(app, ["stages", "decontaminate"]).output
    assert "min_ratio" in shown and "mapping of str to list of file path" in shown and "contaminated" in shown
