"""The stages of a pipeline have together the losses and gradients of one process, in fp64 and under every schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.pipeline.cut import spans
from lauter.trainer.parallel.pipeline.placing import (
    fits,
    rank_of,
    require_micro_batches,
    require_stages,
    stages_of,
)
from tests.trainer.parallel import pipeline_cases as cases
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, SHAPE, WINDOWS, assert_same, prove


@pytest.mark.slow
def test_stages_are_as_one_process(tmp_path: Path) -> None:
    # One test, as starting four processes takes longer than all that they do.
    spawn({4: cases.four, 2: cases.two}, tmp_path)
    alone = prove(ALONE.ranks, ParallelSection(), WINDOWS)
    each_is_as(alone, tmp_path, [*cases.TWO, *cases.FOUR])
    bf16_is_close_to_one_process(torch.load(tmp_path / "bf16.pt"))
    torch_takes_the_numbers_that_fit(torch.load(tmp_path / "numbers.pt"))
    assert torch.load(tmp_path / "after-error.pt") is True
    assert torch.load(tmp_path / "left-over.pt") == [0] * len(cases.SCHEDULES)


@pytest.mark.soak
def test_compiled_stages_are_as_one_process(tmp_path: Path) -> None:
    spawn({2: cases.compiled}, tmp_path)
    each_is_as(prove(ALONE.ranks, ParallelSection(), WINDOWS), tmp_path, list(cases.COMPILED))


def each_is_as(alone: dict[str, Any], folder: Path, names: list[str]) -> None:
    for name in names:
        try:
            assert_same(alone, torch.load(folder / f"{name}.pt"))
        except AssertionError as error:
            error.add_note(name)
            raise


def bf16_is_close_to_one_process(found: list[dict[str, Any]]) -> None:
    alone = cases.bf16(ALONE.ranks, ParallelSection(), WINDOWS)
    whole, *split = found
    assert whole["loss"] == pytest.approx(alone["loss"], rel=1e-4)
    assert whole["norm"] == pytest.approx(alone["norm"], rel=1e-2)
    assert whole["gradient"].keys() == alone["gradient"].keys()
    for name, one in alone["gradient"].items():
        assert whole["gradient"][name].dtype == torch.float32
        assert (whole["gradient"][name] - one).norm() <= 4e-2 * one.norm(), name
        # To the bit: a micro-batch's gradient is bf16, and all are added up in fp32, whenever each comes.
        for other in split:
            assert torch.equal(other["gradient"][name], whole["gradient"][name]), name


def torch_takes_the_numbers_that_fit(found: list[bool]) -> None:
    for (name, count), taken in zip(cases.NUMBERS, found, strict=True):
        section = ParallelSection(pipeline=4, schedule=name, stages_per_rank=cases.SCHEDULES[name])
        assert fits(section, count) == taken, (name, count)


@pytest.mark.parametrize("name", cases.SCHEDULES)
@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_every_stage_stands_on_one_rank(name: cases.Name, ranks: int) -> None:
    section = ParallelSection(pipeline=ranks, schedule=name, stages_per_rank=cases.SCHEDULES[name])
    by_rank = [stages_of(section, rank) for rank in range(ranks)]
    assert sorted(stage for stages in by_rank for stage in stages) == list(range(ranks * cases.SCHEDULES[name]))
    for rank, stages in enumerate(by_rank):
        assert stages == sorted(stages)
        assert [rank_of(section, stage) for stage in stages] == [rank] * len(stages)


@pytest.mark.parametrize("layers", range(1, 14))
@pytest.mark.parametrize("ids", [2, 300, 5000])
def test_no_cut_has_a_lighter_heaviest_stage(layers: int, ids: int) -> None:
    shape = ModelShape(layers, 32, 96, 4, 2, 8, ids, 64)

    def heaviest(counts: tuple[int, ...]) -> int:
        weights = [count * shape.layer_parameters for count in counts]
        weights[0] += ids * shape.hidden
        weights[-1] += ids * shape.hidden
        return max(weights)

    for stages in range(1, min(layers, 5) + 1):
        found = spans(shape, stages)
        assert [number for span in found for number in span] == list(range(layers))
        assert all(found)
        every = list(cuts(layers, stages))
        assert heaviest(tuple(map(len, found))) == min(map(heaviest, every))


def cuts(layers: int, stages: int) -> list[tuple[int, ...]]:
    if stages == 1:
        return [(layers,)]
    return [(first, *others) for first in range(1, layers - stages + 2) for others in cuts(layers - first, stages - 1)]


def test_apertus_70b_over_40_stages_has_two_layers_on_most() -> None:
    shape = ModelShape(80, 8192, 43008, 64, 8, 128, 131072, 4096)
    counts = [len(span) for span in spans(shape, 40)]
    assert (counts[0], counts[-1]) == (1, 1)
    assert sorted(set(counts[1:-1])) == [2, 3]


def test_what_does_not_fit_is_told_before_anything_is_made() -> None:
    with pytest.raises(ValueError, match=r"5 stages .* need as many layers, and the model has 4"):
        require_stages(ParallelSection(pipeline=5), SHAPE)
    with pytest.raises(ValueError, match=r"'zero-bubble-v' has 2 stage.* not 1; set parallel.stages_per_rank to 2"):
        require_stages(ParallelSection(pipeline=2, schedule="zero-bubble-v"), SHAPE)
    with pytest.raises(ValueError, match=r"'1f1b' has 1 stage.* not 2"):
        require_stages(ParallelSection(pipeline=2, stages_per_rank=2), SHAPE)
    with pytest.raises(ValueError, match=r"'1f1b' can't run 3 micro-batch.* over 4 ranks; 4 would do"):
        require_micro_batches(ParallelSection(pipeline=4), 3)
    with pytest.raises(ValueError, match=r"can't run 9 micro-batch.* over 4 ranks; 8 or 10 would do"):
        require_micro_batches(ParallelSection(pipeline=4, schedule="interleaved", stages_per_rank=2), 9)
    require_micro_batches(ParallelSection(), 1)
