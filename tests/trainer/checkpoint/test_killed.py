"""kill -9 at every step of a save, and disks that are full: LATEST names a whole checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.checkpoint import killed
from tests.trainer.parallel.processes import start


def run(folder: Path, *cases: str) -> dict[str, Any]:
    """One process, whose forks are killed."""
    start(1, killed.run_cases, folder, cases)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


CASES = ("sweep-sync-1", "sweep-async-4", "again-sync-4", "full-sync", "full-async", "3-sync", "3-async")
RANKS = "ranks-async-3"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("killed"), *CASES, RANKS)


@pytest.mark.parametrize("case", ["sweep-sync-1", "sweep-async-4"])
def test_a_kill_at_any_step_of_a_save_leaves_latest_whole(found: dict[str, Any], case: str) -> None:
    steps = found[case]
    assert len(steps) * int(case[-1]) > 30
    # First the checkpoint before, then the new one, with one moment of change: the rename of LATEST.
    assert steps == sorted(steps)
    assert set(steps) == {2, 3}


def test_a_kill_while_a_step_is_replaced_loses_nothing(found: dict[str, Any]) -> None:
    assert len(found["again-sync-4"]) > 8


@pytest.mark.parametrize("case", ["full-sync", "full-async"])
def test_a_disk_that_is_full_in_the_middle_leaves_latest_as_it_was(found: dict[str, Any], case: str) -> None:
    said = found[case]
    assert len(said) == 4
    for message in said:
        assert "a file may not grow so large here" in message
        assert ".saving-step-0000000003" in message


@pytest.mark.parametrize("case", ["3-sync", "3-async"])
def test_a_kill_at_a_random_moment(found: dict[str, Any], case: str) -> None:
    assert found[case] == 3


def test_ranks_that_are_killed_while_they_save_go_on(found: dict[str, Any]) -> None:
    steps = found[RANKS]
    assert len(steps) == 3
    assert steps == sorted(steps)
    assert steps[0] > 0


@pytest.mark.soak
def test_ranks_that_are_killed_many_times(tmp_path: Path) -> None:
    steps = run(tmp_path, "ranks-async-30")["ranks-async-30"]
    assert steps == sorted(steps)
    assert len(steps) == 30


@pytest.mark.soak
@pytest.mark.parametrize("case", ["sweep-async-1", "again-sync-1", "again-async-1"])
def test_a_kill_at_every_step_in_every_way(tmp_path: Path, case: str) -> None:
    assert len(run(tmp_path, case)[case]) > 30


@pytest.mark.soak
@pytest.mark.parametrize("case", ["300-sync", "300-async"])
def test_kills_at_many_random_moments(tmp_path: Path, case: str) -> None:
    assert run(tmp_path, case)[case] == 300
