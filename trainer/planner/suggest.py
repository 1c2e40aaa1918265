"""Layouts that fit, the fastest first, and why others don't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.planner.layout import ROOM, Job, Laid, lay

_LEAST_TOKENS = 2048
# Of a context rank: with fewer, messages of keys and values take longer than what they are waited for with.

RECOMPUTE = ("none", "selective", "full")
"""What is tried in this order: each layout gets the first that fits."""

_MOST_RANKS = 1 << 16
# Beyond the largest machines, so that the search of `least_ranks` ends.


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A layout, what it takes, and in words why it is there."""

    laid: Laid
    why: str


def suggestions(job: Job, base: ParallelSection, micro: int) -> list[Suggestion]:
    """All that were tried and can be run: those that fit by their derived speed, then those that don't by memory.

    Tried are the divisors of the ranks for pipeline (up to the layers), context and tensor (powers of two; a tensor
    group stays within a node), full sharding and sharding within a node with copies, stages a rank that divide the
    layers, schedules 1f1b, interleaved and zero-bubble-v, `batch.micro` of the config and 1. Kinds of attention over
    ranks, `sequence`, `vocabulary` and `compile` are the config's.
    """
    found: list[Laid] = []
    for parallel in _candidates(job, base):
        best: Laid | None = None
        for size in sorted({micro, 1}, reverse=True):
            laid = _first_that_fits(job, parallel, size)
            if laid is not None and (best is None or _order(laid) < _order(best)):
                best = laid
        if best is not None:
            found.append(best)
    return [Suggestion(laid, reason(laid, job)) for laid in sorted(found, key=_order)]


def least_ranks(job: Job, base: ParallelSection, micro: int) -> int | None:
    """The job's ranks, doubled until one of the suggestions fits; None where none does up to 65,536."""
    ranks = 2 * job.ranks
    while ranks <= _MOST_RANKS:
        if any(one.laid.fits for one in suggestions(replace(job, ranks=ranks), base, micro)):
            return ranks
        ranks *= 2
    return None


def reason(laid: Laid, job: Job) -> str:
    """Why a layout fits or not, in one line."""
    gib = 1 << 30
    has = job.hardware.memory_bytes
    takes = f"{laid.total_bytes / gib:.1f} of {has / gib:.1f} GiB"
    if not laid.fits:
        largest = max(laid.memory.parts.items(), key=lambda item: item[1])
        return f"does not fit: {takes} with {1 - ROOM:.0%} left free; most are {largest[0]}, {largest[1] / gib:.1f} GiB"
    words = [f"fits: {takes}"]
    if laid.bubble:
        words.append(f"{laid.bubble:.1%} of the time idle in the pipeline")
    seconds = job.step_tokens / laid.speed.tokens_per_second
    for axis, messages in laid.messages.items():
        share = messages.seconds / seconds
        if share >= 0.02:
            words.append(f"{axis} messages take {share:.0%}" + ("" if messages.waits else ", beside the products"))
    if laid.parallel.recompute != "none":
        words.append(f"{laid.flop.recomputed / laid.flop.model:.0%} more operations to recompute")
    return "; ".join(words)


def _order(laid: Laid) -> tuple[bool, float, int, str]:
    speed = -laid.speed.tokens_per_second if laid.fits else 0.0
    return not laid.fits, speed, laid.total_bytes, laid.parallel.model_dump_json()


def _first_that_fits(job: Job, parallel: ParallelSection, micro: int) -> Laid | None:
    """With as little recomputation as can be; the last tried where none fits; None where it can't be run."""
    laid: Laid | None = None
    for recompute in RECOMPUTE:
        if recompute != "none" and parallel.schedule == "zero-bubble-v":
            break  # Its point, weight gradients by themselves, goes with the recomputed graph.
        try:
            laid = lay(job, parallel.model_copy(update={"recompute": recompute}), micro)
        except ValueError:
            return None
        if laid.fits:
            return laid
    return laid


def _candidates(job: Job, base: ParallelSection) -> Iterator[ParallelSection]:
    tensors = [size for size in _powers(min(job.hardware.per_node, job.shape.heads)) if job.ranks % size == 0]
    contexts = _powers(max(1, min(16, job.sequence_length // _LEAST_TOKENS)))
    for tensor in tensors:
        for context in contexts:
            if job.ranks % (tensor * context):
                continue
            left = job.ranks // (tensor * context)
            for pipeline in (size for size in _powers(min(left, job.shape.layers, 64)) if left % size == 0):
                data = left // pipeline
                here = max(1, job.hardware.per_node // (tensor * context))
                for shard in sorted({data, here if data % here == 0 else data}, reverse=True):
                    for schedule, stages in _schedules(job.shape.layers, pipeline):
                        yield base.model_copy(
                            update={
                                "tensor": tensor,
                                "context": context,
                                "pipeline": pipeline,
                                "shard": shard,
                                "replicate": data // shard,
                                "schedule": schedule,
                                "stages_per_rank": stages,
                            }
                        )


def _schedules(layers: int, pipeline: int) -> list[tuple[str, int]]:
    if pipeline == 1:
        return [("1f1b", 1)]
    turns = [stages for stages in range(2, layers // pipeline + 1) if layers % (pipeline * stages) == 0]
    v = [("zero-bubble-v", 2)] if layers >= 2 * pipeline else []
    return [("1f1b", 1), *(("interleaved", stages) for stages in turns), *v]


def _powers(most: int) -> list[int]:
    return [1 << exponent for exponent in range(most.bit_length())]
