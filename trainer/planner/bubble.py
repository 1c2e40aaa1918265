"""How long ranks of a pipeline are idle, and how many micro-batches they hold."""

from __future__ import annotations

from lauter.trainer.config.parallel import ParallelSection


def bubble_fraction(section: ParallelSection, micro_batches: int) -> float:
    """Idle share of a step's time, where a backward pass takes twice a forward one and messages no time.

    With p ranks, m micro-batches and v stages a rank, idle time over busy time is

    - (p - 1) / m for GPipe and 1F1B (arXiv 2104.04473, section 2.2.1),
    - (p - 1) / (v m) interleaved (the same, section 2.2.2),
    - (p - 1) / (3 v m) where the gradients of weights fill what would be idle: of forward, input and weight gradients,
      each 1, only one is waited for. So ZB1P (ZB-H1, arXiv 2401.10241, section 2.3), and torch's orders of ZB-V (the
      same, section 6) and DualPipeV (arXiv 2412.19437, table 2), both with v = 2, which end as many units apart as they
      begin. ZB-V with less than 2 p micro-batches is idle twice as long.

    The tests run torch's own orders through and find these numbers.

    >>> round(bubble_fraction(ParallelSection(pipeline=8, schedule="interleaved", stages_per_rank=5), 32), 4)
    0.0419
    """
    p, v = section.pipeline, section.stages_per_rank
    idle = (p - 1) / micro_batches
    match section.schedule:
        case "gpipe" | "1f1b":
            ratio = idle
        case "interleaved":
            ratio = idle / v
        case "interleaved-zero-bubble" | "dual-pipe-v":
            ratio = idle / (3 * v)
        case "zero-bubble-v":
            ratio = idle / (3 * v) * (1 if micro_batches >= 2 * p else 2)
    return ratio / (1 + ratio)


def in_flight(section: ParallelSection, micro_batches: int, rank: int) -> float:
    """Micro-batches whose activations a rank holds at most, each of all the rank's layers; halves where stages are.

    1F1B: as many as stages from here on (arXiv 2104.04473, section 2.2.1). Interleaved: the warm-up of Megatron-LM and
    torch, 2 (p - rank - 1) + (v - 1) p + 1 stages. ZB1P and ZB-V hold on every rank what 1F1B holds on its first one
    (arXiv 2401.10241, sections 2.3 and 6), DualPipeV half a micro-batch more (arXiv 2412.19437, table 2).
    """
    p, v = section.pipeline, section.stages_per_rank
    match section.schedule:
        case "gpipe":
            most = float(micro_batches)
        case "1f1b":
            most = float(p - rank)
        case "interleaved":
            most = (2 * (p - rank - 1) + (v - 1) * p + 1) / v
        case "interleaved-zero-bubble" | "zero-bubble-v":
            most = float(p)
        case "dual-pipe-v":
            most = p + 0.5
    return min(most, float(micro_batches))
