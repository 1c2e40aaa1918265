"""Axes that work alone also work together: losses and every gradient are those of one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel import combined_cases as cases
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, WINDOWS, assert_same, prove


# Pipeline x FSDP2 and context x FSDP2 are proved in the axes' own files.
@pytest.mark.slow
def test_two_axes_at_once_are_as_one_process(tmp_path: Path) -> None:
    are_as_one_process(tmp_path, cases.four, cases.LAYOUTS, cases.PROBED)


@pytest.mark.soak
def test_two_axes_in_other_schedules_and_kinds_are_as_one_process(tmp_path: Path) -> None:
    are_as_one_process(tmp_path, cases.four_more, cases.MORE_LAYOUTS, cases.MORE_PROBED)


def are_as_one_process(
    folder: Path, four: Callable[[Ranks, Path], None], layouts: cases.Layouts, probed: dict[str, ParallelSection]
) -> None:
    # One spawn, as starting four processes takes longer than what they do.
    probes = cases.asked()
    torch.save(probes, folder / "probes.pt")
    spawn({4: four}, folder)
    alone = {shape: prove(ALONE.ranks, ParallelSection(), WINDOWS, shape) for *_, shape in layouts.values()}
    for name, (*_, shape) in layouts.items():
        assert_same(alone[shape], torch.load(folder / f"{name}.pt"))
    answered = cases.scores(ALONE.ranks, ParallelSection(), probes)
    assert [one.exact for one in answered] == [1, 0, 1, 0, 1, 0, 1]
    for name in probed:
        assert torch.load(folder / f"probed-{name}.pt", weights_only=False) == answered, name
