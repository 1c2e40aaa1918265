from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lauter.pipeline.cost.measure import Measured, SampleFailed, folder_of, measured_build, stage_seconds, step_rates
from lauter.pipeline.cost.rates import Work
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.storage import FileStat
from tests.pipeline.small_run import digests


@pytest.fixture(scope="module")
def built(small_manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Path]:
    out = tmp_path_factory.mktemp("measured") / "out"
    return measured_build(small_manifest, str(out), {"source-a": 1000, "source-b": 500}), out


def test_a_metered_build_is_a_build(built: tuple[Measured, Path], small_manifest: Manifest, tmp_path: Path) -> None:
    again = measured_build(small_manifest, str(tmp_path / "again"), {"source-a": 1, "source-b": 1})
    assert digests(built[1]) == digests(tmp_path / "again")
    assert again.corpus["summary"]["records"] == 360


def test_bytes_are_those_on_disk(built: tuple[Measured, Path]) -> None:
    run, out = built
    for (step, source), work in run.steps.items():
        if step == "documents":
            assert work.takes == {"input": {"source-a": 1000, "source-b": 500}[str(source)]}
    given = sum(size for work in run.steps.values() for size in work.gives.values())
    lying = sum((out / output.path).stat().st_size for item in run.tasks for output in item.outputs)
    assert given == lying
    documents = sum(path.stat().st_size for path in (out / "documents").rglob("*.parquet"))
    assert sum(work.gives.get("documents", 0) for work in run.steps.values()) == documents


def test_every_task_is_in_one_step(built: tuple[Measured, Path]) -> None:
    run, _ = built
    assert sum(work.tasks for work in run.steps.values()) == len(run.tasks) == run.driver.tasks
    assert run.driver.spent.wall_s >= run.driver.spent.cpu_s >= 0
    assert run.open_s > 0
    assert set(stage_seconds(run)) == {"read", "words", "length"}


def test_a_step_that_only_the_larger_run_had_has_an_empty_small_one(built: tuple[Measured, Path]) -> None:
    run, _ = built
    small = replace(run, steps={key: work for key, work in run.steps.items() if key[0] != "pack"})
    rates = {item.step: item for item in step_rates(small, run)}
    assert rates["pack"].small == Work() and rates["pack"].large.tasks > 0


def test_a_task_that_fails_is_named(small_manifest: Manifest, tmp_path: Path) -> None:
    (first, *_) = small_manifest.sources
    gone = replace(first, files=(FileStat(str(tmp_path / "gone.txt"), 9, 0),))
    with pytest.raises(SampleFailed, match="documents/source-a"):
        measured_build(replace(small_manifest, sources=(gone,)), str(tmp_path / "out"), {"source-a": 1})


def test_folders_of_state_stand_apart() -> None:
    assert folder_of("state/keys/web/a.arrow") == "state/keys" and folder_of("ledger/web/a.parquet") == "ledger"
