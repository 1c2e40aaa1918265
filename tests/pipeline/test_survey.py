"""What a soft stage learns of the whole corpus: counted by part, summed, and the same however the files are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.contract import FilePath, Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.graph import surveying
from lauter.pipeline.steps import survey
from lauter.pipeline.surveying import SurveyingStage
from tests.pipeline.small_run import build, digests, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE


class CommonConfig(StageConfig):
    """How many documents may have as many characters."""

    most: int = 2
    read_from: FilePath | None = None
    """A file with that number, in place of `most`."""


class Common:
    """Drops documents whose number of words more than `most` documents have."""

    name: ClassVar[str] = "common"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = CommonConfig
    reads: ClassVar[tuple[str, ...]] = ("words",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("common"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"most", "read_from"})

    def __init__(self, config: CommonConfig, context: StageContext) -> None:
        self._most = config.most if config.read_from is None else int(Path(config.read_from).read_text())
        self._common: NDArray[np.uint64] = np.empty(0, np.uint64)

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        return Verdict(np.zeros(batch.num_rows, np.uint8))

    @classmethod
    def surveys(cls, config: CommonConfig) -> bool:
        return config.most > 0

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        numbers: NDArray[np.uint64] = scores.column("words").to_numpy().astype(np.uint64)
        return numbers

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        assert (np.diff(number.astype(np.int64)) > 0).all()
        self._common = number[documents > self._most]

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        return Verdict(np.isin(self.occurrences(scores), self._common).astype(np.uint8))


SURVEYED = replace(CATALOGUE, stages={**CATALOGUE.stages, "common": f"{__name__}:Common"})
LINES = [f"n{i}\t{' '.join(['word'] * (1 + i % 7 if i < 30 else i))}" for i in range(40)]


def kept(out: Path) -> set[object]:
    return {row["url"] for row in ledger(out) if row["verdict"] == "kept"}


def test_a_decision_may_rest_on_the_whole_corpus(tmp_path: Path) -> None:
    assert issubclass(Common, SurveyingStage)
    found = []
    for name, files in {
        "one": {"a.txt": "\n".join(LINES)},
        "five": {f"a{i}.txt": "\n".join(LINES[i::5]) for i in range(5)},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        path = write_manifest(folder, files, ["words", "common"], cells=64)
        assert not build(path, folder / "out", catalogue=SURVEYED).report.failures
        found.append(kept(folder / "out"))
    assert found[0] == found[1] == {f"https://n{i}.example/" for i in range(30, 40)}


def test_another_limit_counts_nothing_anew(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, {"a.txt": "\n".join(LINES)}, ["words", {"common": {"most": 4}}], cells=64)
    build(path, tmp_path / "out", catalogue=SURVEYED)
    # Of 30 lines two lengths have five and the others four.
    assert len(kept(tmp_path / "out")) == 10 + 5 * 4
    before = digests(tmp_path / "out")
    manifest = yaml.safe_load(path.read_text())
    for most, left in ((5, 40), (4, 30)):
        manifest["stages"][1]["common"]["most"] = most
        path.write_text(yaml.safe_dump(manifest))
        times = {
            file: file.stat().st_mtime_ns for file in (tmp_path / "out/state").rglob("*survey*/**/*") if file.is_file()
        }
        build(path, tmp_path / "out", catalogue=SURVEYED)
        assert times and all(file.stat().st_mtime_ns == time for file, time in times.items())
        assert len(kept(tmp_path / "out")) == left
    assert digests(tmp_path / "out") == before


def test_another_file_of_limits_counts_nothing_anew(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("4")
    stages: list[object] = ["words", {"common": {"read_from": "limit"}}]
    path = write_manifest(tmp_path, {"a.txt": "\n".join(LINES)}, stages, cells=64)
    build(path, tmp_path / "out", catalogue=SURVEYED)
    assert len(kept(tmp_path / "out")) == 10 + 5 * 4
    state = tmp_path / "out/state"
    times = {file: file.stat().st_mtime_ns for step in ("documents", "surve*") for file in state.glob(f"{step}/**/*")}
    (tmp_path / "limit").write_text("5")
    build(path, tmp_path / "out", catalogue=SURVEYED)
    assert times and {file: file.stat().st_mtime_ns for file in times} == times
    assert len(kept(tmp_path / "out")) == 40


def test_runs_of_parts_are_summed_first_where_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"a{i}.txt": "\n".join(LINES[i::5]) for i in range(5)}
    path = write_manifest(tmp_path, files, ["words", "common"], cells=64)
    build(path, tmp_path / "one", catalogue=SURVEYED)
    assert not list((tmp_path / "one/state").rglob("survey-sums"))
    monkeypatch.setattr(surveying, "RUN_PARTS", 2)
    build(path, tmp_path / "runs", catalogue=SURVEYED)
    assert len(list((tmp_path / "runs/state/survey-sums").rglob("*.arrow"))) == 3
    assert digests(tmp_path / "runs") == digests(tmp_path / "one")


@given(st.lists(st.lists(st.integers(0, 5), max_size=20), max_size=8), st.integers(1, 30))
def test_counts_are_summed_in_any_portions(parts: list[list[int]], pending: int) -> None:
    def counted() -> Iterator[survey.Counts]:
        for part in parts:
            yield np.array(part, np.uint64), np.ones(len(part), np.uint64)

    number, documents = survey.summed(counted(), pending)
    flat = [item for part in parts for item in part]
    assert number.tolist() == sorted(set(flat))
    assert documents.tolist() == [flat.count(item) for item in sorted(set(flat))]
