"""A stage with a step of its own: the same corpus as in one pass, and nothing of that pass may lean on it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray

from lauter.pipeline.audit import audit
from lauter.pipeline.contract import PlacedStage, Placement, Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.resolve import load
from lauter.pipeline.schema import SCORE
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.task import Task
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, digests, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE
from tests.pipeline.takedown.masked import published


class LongConfig(StageConfig):
    """Where it runs."""

    alone: bool = True
    gpus: float = 0.5
    most: int = 40


class Long:
    """Scores the letters of a text; drops what most documents surpass; raises on what says `boom`."""

    name: ClassVar[str] = "long"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = LongConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "words")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([SCORE.field("toxicity")])
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("long"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"most"})

    def __init__(self, config: LongConfig, context: StageContext) -> None:
        self._most, self._seen = config.most, 0

    def open(self) -> None:
        pass

    @classmethod
    def placement(cls, config: LongConfig) -> Placement | None:
        return Placement(cpus=2.0, gpus=config.gpus) if config.alone else None

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        texts = batch.column("text").to_pylist()
        if any("boom" in text for text in texts):
            raise ValueError("boom")
        return Verdict(np.zeros(len(texts), np.uint8), {"toxicity": pa.array(map(len, texts), pa.uint16())})

    @classmethod
    def surveys(cls, config: LongConfig) -> bool:
        return True

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        found: NDArray[np.uint64] = scores.column("toxicity").fill_null(0).to_numpy().astype(np.uint64)
        return found

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        self._seen = int(documents.sum())

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        assert self._seen
        return Verdict((self.occurrences(scores) > self._most).astype(np.uint8))


class Reader(Long):
    """Runs in the common pass, and reads what `Long` writes."""

    name: ClassVar[str] = "reader"
    reads: ClassVar[tuple[str, ...]] = ("text", "toxicity")
    scores: ClassVar[pa.Schema] = pa.schema([])

    @classmethod
    def placement(cls, config: LongConfig) -> Placement | None:
        return None


PLACED = replace(CATALOGUE, stages={**CATALOGUE.stages, "long": f"{__name__}:Long", "reader": f"{__name__}:Reader"})
FILES = {f"{source}.txt": "\n".join(f"{source}{i}\t{'word ' * (1 + i % 12)}" for i in range(30)) for source in "ab"}


def manifest(folder: Path, *, alone: bool) -> Path:
    folder.mkdir()
    return write_manifest(folder, FILES, ["words", {"long": {"alone": alone}}, "same-text"], cells=16)


def test_a_step_of_its_own_leaves_the_same_corpus(tmp_path: Path) -> None:
    assert issubclass(Long, PlacedStage)
    found = []
    for alone in (True, False):
        path = manifest(tmp_path / str(alone), alone=alone)
        out = tmp_path / str(alone) / "out"
        assert not build(path, out, catalogue=PLACED).report.failures
        assert build(path, out, catalogue=PLACED).report.executed == 0
        assert {row["reason"] for row in ledger(out)} >= {"long"}
        assert (out / "state/fused").exists() == alone
        found.append({name: digest for name, digest in digests(out).items() if not name.startswith("proof")})
    assert found[0] == found[1]


def test_its_tasks_ask_for_what_it_takes(tmp_path: Path) -> None:
    plan = Plan(load(str(manifest(tmp_path / "m", alone=True)), PLACED), Storage(str(tmp_path / "out")))
    names = [node.name for node in plan.first_half() if node.name.startswith("annotate/")]
    assert names == ["annotate/source-a/a.txt", "annotate/source-b/b.txt"]
    path = tmp_path / "m/manifest.yaml"
    assert not build(path, tmp_path / "out", catalogue=PLACED).report.failures
    # What an executor keeps free is no part of a key.
    task = Task("x", "y", "z", {})
    assert task.key == replace(task, cpus=2.0, gpus=0.5).key


def test_a_changed_limit_scores_nothing_again(tmp_path: Path) -> None:
    path = manifest(tmp_path / "m", alone=True)
    out = tmp_path / "out"
    build(path, out, catalogue=PLACED)
    content = yaml.safe_load(path.read_text())
    content["stages"][1]["long"]["most"] = 20
    path.write_text(yaml.safe_dump(content))
    before = {file: file.stat().st_mtime_ns for file in (out / "scores").rglob("*.parquet")}
    assert not build(path, out, catalogue=PLACED).report.failures
    assert before == {file: file.stat().st_mtime_ns for file in (out / "scores").rglob("*.parquet")}


def test_a_row_that_it_fails_on_has_no_score_and_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    path = write_manifest(folder, {"a.txt": FILES["a.txt"] + "\nbad\tboom it says"}, ["words", "long"], cells=16)
    out = tmp_path / "out"
    assert not build(path, out, catalogue=PLACED).report.failures
    scores = pq.read_table(out / "scores/source-a/a.txt.parquet").column("toxicity")
    assert scores.null_count == 1
    assert yaml.safe_load((out / "state/annotate/source-a/a.txt.json").read_text())["info"]["failed"] == 1


def test_no_stage_of_the_common_pass_may_read_its_scores(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, FILES, ["words", "long", "reader"])
    with pytest.raises(ManifestError, match="reads column 'toxicity', which 'long' writes in a later step"):
        load(str(path), PLACED)


def test_a_removed_page_leaves_both_files_of_scores(tmp_path: Path) -> None:
    path = manifest(tmp_path / "m", alone=True)
    out = tmp_path / "m/out"
    build(path, out, catalogue=PLACED)
    before = {folder: pq.read_table(out / f"{folder}/source-a/a.txt.parquet") for folder in ("scores", "state/fused")}
    take_down(Storage(str(out)), (demand("url", "https://a3.example/"),), with_copies=False)
    for folder, table in before.items():
        after = pq.read_table(out / f"{folder}/source-a/a.txt.parquet")
        changed = [row for row in range(table.num_rows) if table.slice(row, 1) != after.slice(row, 1)]
        assert table.column("row").take(changed).to_pylist() == [3]
        assert after.column("words")[changed[0]].as_py() is None
    assert audit(Storage(str(out)), PLACED).violations == []
    masked = published(out)
    report = build(path, out, catalogue=PLACED).report
    assert not report.failures and report.executed == 0
    shutil.copytree(out / "takedown", tmp_path / "m/new/takedown")
    build(path, tmp_path / "m/new", catalogue=PLACED)
    assert published(tmp_path / "m/new") == masked == published(out)
