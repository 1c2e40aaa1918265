"""Where the stages of a pipeline stand, and how many micro-batches go through them."""

from __future__ import annotations

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.pipeline.cut import spans

_ONE_STAGE = ("gpipe", "1f1b")
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
    needed = 1 if section.schedule in _ONE_STAGE else 2 if section.schedule in _FORM_V else None
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
