"""The same losses and gradients on one process and on several, in fp64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lauter.trainer.config.sections import ParallelSection
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel import cases
from tests.trainer.parallel.processes import spawn

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("ranks")
    spawn(cases.four, 4, found)
    return found


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return cases.sgd(ALONE, ParallelSection(), cases.WINDOWS, "fp64")


@pytest.mark.parametrize("case", ["fsdp-4", "hsdp-2x2", "hsdp-4x1"])
def test_losses_norms_and_every_gradient_are_those_of_one_process(
    folder: Path, alone: dict[str, Any], case: str
) -> None:
    found = torch.load(folder / f"{case}.pt")
    assert_same(alone, found)


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_micro_batches_change_nothing(alone: dict[str, Any], micro: int) -> None:
    assert_same(alone, cases.sgd(ALONE, ParallelSection(), micro, "fp64"))


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["targets"] == other["targets"]
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-12, abs=1e-12)
    assert one["norm"] == pytest.approx(other["norm"], rel=1e-12, abs=1e-12)
    assert one["held_out"]["targets"] == other["held_out"]["targets"]
    # Losses of single tokens are fp32.
    assert one["held_out"]["languages"] == pytest.approx(other["held_out"]["languages"], rel=1e-6)
    for before, after in zip(one["gradient"], other["gradient"], strict=True):
        assert before.keys() == after.keys()
        for name, expected in before.items():
            scale = expected.abs().max()
            assert scale > 0, name
            assert (after[name] - expected).abs().max() <= 1e-12 * max(1.0, float(scale)), name
