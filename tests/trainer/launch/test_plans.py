"""Kills and resizes: whatever happens to the ranks, the run computes what it would have computed undisturbed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.launch.plans import STEPS, carry_out_all, plan
from tests.trainer.parallel.processes import start


def carried_out(folder: Path, seeds: range) -> int:
    """Carry plans out and compare; how many starts a kill ended."""
    start(1, carry_out_all, folder, seeds)
    found = json.loads((folder / "found.json").read_text())
    calm = found["calm"]
    assert [step for step, _, _ in calm] == list(range(1, STEPS + 1))
    killed = 0
    for seed in seeds:
        sequence = found[str(seed)]["sequence"]
        assert [line[:2] for line in sequence] == [line[:2] for line in calm], plan(seed)
        for (*_, loss), (*_, undisturbed) in zip(sequence, calm, strict=True):
            assert loss == pytest.approx(undisturbed, rel=1e-9), plan(seed)
        killed += found[str(seed)]["killed"]
    return killed


@pytest.mark.slow
def test_three_plans_of_kills_and_resizes(tmp_path: Path) -> None:
    assert carried_out(tmp_path, range(1, 4)) >= 3


@pytest.mark.soak
def test_thirty_plans_of_kills_and_resizes(tmp_path: Path) -> None:
    assert carried_out(tmp_path, range(4, 34)) >= 30
