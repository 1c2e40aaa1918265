"""What is compared between one process and the ranks of a pipeline."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from lauter.trainer.batch import Batch
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.step import gradient
from lauter.trainer.loop.validate import validate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.pipeline.port import Port
from lauter.trainer.parallel.pipeline.schedules import schedule
from lauter.trainer.parallel.pipeline.stage import cut
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import (
    LANGUAGES,
    LENGTH,
    SHAPE,
    WINDOWS,
    laid_out,
    of_all_stages,
    prove,
    whole,
    windows,
)

Name = Literal["gpipe", "1f1b", "interleaved", "interleaved-zero-bubble", "zero-bubble-v", "dual-pipe-v"]
SCHEDULES: dict[Name, int] = {
    "gpipe": 1,
    "1f1b": 1,
    "interleaved": 2,
    "interleaved-zero-bubble": 2,
    "zero-bubble-v": 2,
    "dual-pipe-v": 2,
}
"""With the stages on each rank."""


def _layout(
    name: Name, *, recompute: Literal["none", "selective", "full"] = "none", compiled: bool = False
) -> ParallelSection:
    return ParallelSection(
        pipeline=2, schedule=name, stages_per_rank=SCHEDULES[name], recompute=recompute, compile=compiled
    )


TWO = {
    "gpipe": (_layout("gpipe"), 1),
    "1f1b": (_layout("1f1b"), 2),
    "interleaved": (_layout("interleaved", recompute="selective"), 2),
    "interleaved-zero-bubble": (_layout("interleaved-zero-bubble"), 2),
    "zero-bubble-v": (_layout("zero-bubble-v"), 2),
    "dual-pipe-v": (_layout("dual-pipe-v"), 1),
    "one-micro-batch": (_layout("zero-bubble-v"), WINDOWS),
    "recompute-v": (_layout("zero-bubble-v", recompute="full"), 4),
}
"""Name -> layout and windows of a micro-batch, on two ranks."""

COMPILED = {
    "compiled-v": (_layout("zero-bubble-v", compiled=True), 2),
    "compiled": (_layout("1f1b", recompute="full", compiled=True), 2),
}
"""As `TWO`, where there is a C++ compiler."""

FOUR = {
    "four-stages": (ParallelSection(pipeline=4, recompute="full"), 2),
    "fsdp": (_layout("zero-bubble-v"), 1),
    "hsdp": (ParallelSection(pipeline=2, replicate=2), 2),
}
"""As `TWO`, on four ranks."""

NUMBERS = [(name, count) for name in SCHEDULES for count in range(1, 14)]
"""Schedules and micro-batches a step, for four ranks."""


def four(ranks: Ranks, folder: Path) -> None:
    """On four ranks: four stages, and two beside FSDP2; and which numbers of micro-batches torch takes."""
    for name, (how, micro) in FOUR.items():
        keep(ranks, folder, name, prove(ranks, how, micro))
    if ranks.rank == 3:  # No message is sent.
        keep(ranks, folder, "numbers", [taken(ranks, name, count) for name, count in NUMBERS])


def two(ranks: Ranks, folder: Path) -> None:
    """On two ranks: all schedules, bf16, and a validation that fails."""
    for name, (how, micro) in TWO.items():
        keep(ranks, folder, name, prove(ranks, how, micro))
    # What splits no backward pass first.
    sizes: dict[Name, tuple[int, ...]] = {"gpipe": (1,), "interleaved-zero-bubble": (1,), "zero-bubble-v": (2, 1)}
    keep(ranks, folder, "bf16", [bf16(ranks, _layout(name), *micro) for name, micro in sizes.items()])
    keep(ranks, folder, "after-error", after_error(ranks))
    keep(ranks, folder, "left-over", [left_over(ranks, _layout(name)) for name in SCHEDULES])


def compiled(ranks: Ranks, folder: Path) -> None:
    """On two ranks, with compiled layers."""
    for name, (how, micro) in COMPILED.items():
        keep(ranks, folder, name, prove(ranks, how, micro))


def taken(ranks: Ranks, name: Name, count: int) -> bool:
    """Whether torch makes a schedule of four ranks for so many micro-batches."""
    section = ParallelSection(pipeline=4, schedule=name, stages_per_rank=SCHEDULES[name])
    world = dist.group.WORLD
    assert world is not None
    stages = cut(Apertus(replace(SHAPE, layers=8), device="meta"), section, ranks.rank)
    count_of_stages = 4 * SCHEDULES[name]
    ports = [
        Port(one, count_of_stages, (8, 32), torch.float32, device=ranks.device, group=world, splits=True)
        for one in stages
    ]
    try:
        schedule(section, ports, count)
    except ValueError:
        return False
    return True


def bf16(ranks: Ranks, section: ParallelSection, *sizes: int) -> dict[str, Any]:
    """Loss, norm and gradients of one step in bf16, which are fp32 where there are several ranks.

    As a ramp changes the number of micro-batches, it is done over for each of `sizes`, windows in one; the last counts.
    """
    model, passes, optimizer, grid = laid_out(ranks, section, "bf16")
    for micro in sizes:
        optimizer.zero_grad()
        batches = [windows(range(at, at + micro)) for at in range(0, WINDOWS, micro)]
        figures = gradient(passes, optimizer, batches, z_loss=1e-3, axes=grid)
    found = {name: whole(one.grad) for name, one in model.named_parameters() if one.grad is not None}
    return {"loss": figures.loss, "norm": figures.norm, "gradient": of_all_stages(ranks, found)}


def after_error(ranks: Ranks) -> bool:
    """Whether all parameters are shards after a validation that failed between two passes."""

    def batches() -> Iterator[Batch]:
        for _ in range(9):  # One more than are in line at once.
            yield windows(range(2))
        raise EOFError

    model, passes, _, grid = laid_out(ranks, ParallelSection(pipeline=2), "fp32")
    with contextlib.suppress(EOFError):
        validate(model, passes, batches(), LANGUAGES, grid)
    return all(isinstance(one, DTensor) for one in model.parameters())


def left_over(ranks: Ranks, section: ParallelSection) -> int:
    """Hidden states, and gradients of them, that are still there after a step: buffers of schedules are not."""
    _, passes, optimizer, grid = laid_out(ranks, section, "fp32")
    batches = [windows(range(at, at + 4)) for at in range(0, 16, 4)]
    # What is there before the step is neither looked through nor counted: 0.7 s each time.
    gc.freeze()
    gc.disable()
    try:
        gradient(passes, optimizer, batches, z_loss=0.0, axes=grid)
        # No parameter has this shape.
        shape = 4 * LENGTH, SHAPE.hidden
        return sum(
            type(one) is torch.Tensor and tuple(one.shape) == shape and not one.is_meta for one in gc.get_objects()
        )
    finally:
        gc.enable()
        gc.unfreeze()
