"""The orders of forward and backward passes: what each needs of stages and micro-batches, and torch's making of it."""

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
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.pipeline.cut import spans

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

_FORM_V = ("zero-bubble-v", "dual-pipe-v")
# There the last stage stands on the first rank: 0 1 2 | 5 4 3.


def stages_of(section: ParallelSection, rank: int) -> list[int]:
    """The stages of one rank of the pipeline, ascending.

    >>> v = ParallelSection(pipeline=3, stages_per_rank=2, schedule="zero-bubble-v")
    >>> [stages_of(v, rank) for rank in range(3)]
    [[0, 5], [1, 4], [2, 3]]
    """
    if section.schedule in _FORM_V:
        return [rank, 2 * section.pipeline - 1 - rank]
    return [rank + turn * section.pipeline for turn in range(section.stages_per_rank)]


def rank_of(section: ParallelSection, stage: int) -> int:
    """Where a stage stands, as a place along the pipeline."""
    if section.schedule in _FORM_V:
        return min(stage, 2 * section.pipeline - 1 - stage)
    return stage % section.pipeline


def require_stages(section: ParallelSection, shape: ModelShape) -> None:
    """Raises `ValueError` where the schedule is for another number of stages a rank, or the model has fewer layers."""
    if section.pipeline == 1:
        return
    needed = 1 if section.schedule in SINGLE else 2 if section.schedule in _FORM_V else None
    if needed not in (None, section.stages_per_rank):
        raise ValueError(
            f"parallel.schedule {section.schedule!r} has {needed} stage(s) a rank, not {section.stages_per_rank}; set "
            f"parallel.stages_per_rank to {needed}, or take another schedule"
        )
    spans(shape, section.pipeline * section.stages_per_rank)


def require_micro_batches(section: ParallelSection, count: int) -> None:
    """Raises `ValueError`, naming numbers that fit, where a schedule can't run so many micro-batches."""
    if section.pipeline == 1 or fits(section, count):
        return
    below = next((other for other in range(count - 1, 0, -1) if fits(section, other)), None)
    above = next(other for other in range(count + 1, count + 2 * section.pipeline + 2) if fits(section, other))
    numbers = f"{above}" if below is None else f"{below} or {above}"
    raise ValueError(
        f"parallel.schedule {section.schedule!r} can't run {count} micro-batch(es) a step over {section.pipeline} "
        f"ranks; {numbers} would do: change batch.sequences or batch.micro (micro-batches are sequences / (micro x "
        "ranks that read data)), or take another schedule"
    )


def fits(section: ParallelSection, count: int) -> bool:
    """Whether a step of so many micro-batches can be run.

    1F1B needs as many as stages; DualPipeV too; interleaved ones go in rounds of equal length, of as many micro-batches
    as ranks or more.

    >>> [count for count in range(1, 13) if fits(ParallelSection(pipeline=4, schedule="interleaved"), count)]
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]
    """
    if section.schedule in ("1f1b", "dual-pipe-v"):
        return count >= section.pipeline * section.stages_per_rank
    if section.schedule in ("interleaved", "interleaved-zero-bubble"):
        return count % max(1, count // section.pipeline) == 0
    return count >= 1


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
