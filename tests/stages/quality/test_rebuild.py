"""A changed threshold of quality in a built corpus: scores are read again, and no text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
import yaml

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.steps import decide
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from tests.pipeline.small_run import build, ledger
from tests.pipeline.small_stages import CATALOGUE

WORDS = "the harbour of the town was quiet and the boats had not come back from the sea with their nets"


class Labels:
    """Calls every text English."""

    name: ClassVar[str] = "labels"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = StageConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: StageConfig, context: StageContext) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        return Verdict(np.zeros(batch.num_rows, np.uint8), {"language": pa.array(["eng_Latn"] * batch.num_rows)})


WITH_QUALITY = replace(
    CATALOGUE,
    stages={
        **CATALOGUE.stages,
        "labels": "tests.stages.quality.test_rebuild:Labels",
        "quality": "lauter.stages.quality.stage:Quality",
    },
)


def manifest(folder: Path, **parameters: object) -> Path:
    """Texts of 1 to 19 words in two files, with these parameters of the quality stage."""
    if not (folder / "a.txt").exists():
        lines = [f"n{size}\t{' '.join(WORDS.split()[:size])}" for size in range(1, 20)]
        (folder / "a.txt").write_text("\n".join(lines[::2]))
        (folder / "b.txt").write_text("\n".join(lines[1::2]))
    off = {"min_stop_words": None, "max_top_ngram_ratios": None, "max_duplicate_ngram_ratios": None}
    path = folder / "manifest.yaml"
    content = {
        "name": "rebuilt",
        "sources": [{"name": "pages", "kind": "lines", "paths": ["*.txt"]}],
        "stages": ["labels", {"quality": {**off, **parameters}}],
        "sharding": {"cells": 8},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def records(out: Path) -> dict[str, int]:
    """Task -> when its done record was written."""
    done = (path for path in (out / "state").rglob("*.json") if path.relative_to(out / "state").parts[0] != "listings")
    return {str(path.relative_to(out / "state"))[:-5]: path.stat().st_mtime_ns for path in done}


def kept(out: Path) -> int:
    return sum(row["verdict"] == "kept" for row in ledger(out))


def test_another_threshold_runs_no_task_that_reads_text(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(manifest(tmp_path, min_words=5), out, catalogue=WITH_QUALITY)
    assert kept(out) == 15
    before = records(out)
    outcome = build(manifest(tmp_path, min_words=5, max_newline_ratio=0.9), out, catalogue=WITH_QUALITY)
    after = records(out)
    ran = {name.split("/")[0] for name in after if after[name] != before.get(name)}
    assert not outcome.report.failures and "decide" in ran
    # No decision is another one, so nothing behind them is stale either: not even the kept texts are encoded again.
    assert not ran & {"documents", "sign", "encode", "pack"}, ran
    build(manifest(tmp_path, min_words=9), out, catalogue=WITH_QUALITY)
    assert kept(out) == 11
    again = records(out)
    assert {name: time for name, time in again.items() if name.startswith("documents/")} == {
        name: time for name, time in before.items() if name.startswith("documents/")}  # fmt: skip


class Watched(Storage):
    """A run folder that remembers what was opened in it."""

    opened: ClassVar[set[str]] = set()

    def open(self, path: str) -> pa.NativeFile:
        self.opened.add(path)
        return super().open(path)

    def read(self, path: str) -> bytes:
        self.opened.add(path)
        return super().read(path)


def test_the_decision_itself_opens_scores_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Task] = []
    whole = decide.run

    def watched(task: Task, storage: Storage) -> Result:
        tasks.append(task)
        return whole(task, Watched(storage.root, task.token))

    monkeypatch.setattr(decide, "run", watched)
    build(manifest(tmp_path, min_words=5), tmp_path / "out", catalogue=WITH_QUALITY)
    assert len(tasks) == 2 and kept(tmp_path / "out") == 15
    read = {path.split("/")[0] for path in Watched.opened if not path.startswith("state/")}
    assert read == {"scores"}
