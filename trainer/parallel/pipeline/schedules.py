"""The orders of forward and backward passes, as torch makes them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributed.pipelining import (
    Schedule1F1B,
    ScheduleDualPipeV,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
    ScheduleZBVZeroBubble,
)
from torch.distributed.pipelining.schedules import PipelineScheduleMulti, PipelineScheduleSingle
from torch.distributed.pipelining.stage import PipelineStage

from lauter.trainer.config.parallel import ParallelSection

Schedule = PipelineScheduleSingle | PipelineScheduleMulti

SINGLE: dict[str, type[ScheduleGPipe] | type[Schedule1F1B]] = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}
"""One stage a rank. GPipe (arXiv 1811.06965) keeps the activations of all micro-batches; 1F1B (PipeDream-Flush, arXiv
2006.09503) those of as many as there are stages, and is idle just as long."""

MULTI: dict[
    str,
    type[ScheduleInterleaved1F1B]
    | type[ScheduleInterleavedZeroBubble]
    | type[ScheduleZBVZeroBubble]
    | type[ScheduleDualPipeV],
] = {
    "interleaved": ScheduleInterleaved1F1B,
    "interleaved-zero-bubble": ScheduleInterleavedZeroBubble,
    "zero-bubble-v": ScheduleZBVZeroBubble,
    "dual-pipe-v": ScheduleDualPipeV,
}
"""Several stages a rank: interleaved 1F1B (arXiv 2104.04473, section 2.2), ZB1P on it and ZB-V (arXiv 2401.10241, whose
backward passes of the weights fill what would be idle), DualPipe cut in half (arXiv 2412.19437)."""

SPLITS = ("interleaved-zero-bubble", "zero-bubble-v", "dual-pipe-v")
"""Those that take the gradients of a stage's input and of its weights apart."""


def schedule(section: ParallelSection, stages: Sequence[PipelineStage], micro_batches: int) -> Schedule:
    """torch's, for so many micro-batches a step. What the last stage gives is the loss."""
    # The loss is divided by the targets of the whole step: torch would divide the gradients by the micro-batches once
    # more (torchtitan#1733).
    if section.schedule in SINGLE:
        (stage,) = stages
        return SINGLE[section.schedule](stage, micro_batches, loss_fn=_as_it_is, scale_grads=False)
    return MULTI[section.schedule](list(stages), micro_batches, loss_fn=_as_it_is, scale_grads=False)


def _as_it_is(loss: Tensor, _number: Tensor) -> Tensor:
    return loss
