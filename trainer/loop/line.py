"""A line of metrics.jsonl: what a step did, how fast, and what the ranks needed for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lauter.trainer.loop.guard import Verdict
from lauter.trainer.loop.memory import peak_memory
from lauter.trainer.loop.parts import Parts
from lauter.trainer.loop.step import Figures
from lauter.trainer.optimizer.norm import clip_scale
from lauter.trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is done, or left out."""

    before: Progress
    """Where it began, behind samples that were passed over."""
    after: Progress
    sequences: int
    figures: Figures
    learning_rate: float
    verdict: Verdict


def line_of(step: Step, parts: Parts, *, seconds: float, waited: float, peak: float | None) -> dict[str, Any]:
    """The line's values by name; called by all ranks.

    Args:
        step: What was done.
        parts: Of the run.
        seconds: What it took, saves left out.
        waited: Of these, how long this rank waited for its data; the line has the longest wait of any rank.
        peak: FLOP/s of all ranks together, for MFU; None where nobody knows.
    """
    figures, tokens = step.figures, step.sequences * parts.section.data.sequence_length
    speed = tokens / seconds
    flop = parts.shape.flop_per_token(round(figures.context))
    counted = figures.targets + figures.goldfish_dropped
    # Of a pipeline, each place needs another amount.
    memory, data_seconds = parts.ranks.max([float(peak_memory(parts.ranks.device)), waited])
    return {
        "step": step.after.step,
        "samples": step.after.samples,
        "tokens": step.after.tokens,
        "stage": parts.samples.stage_at(step.before.samples),
        "loss": figures.loss,
        "nll": figures.nll,
        "learning_rate": step.learning_rate,
        "gradient_norm": figures.norm,
        "clipped": 1 - clip_scale(figures.norm, parts.section.optimizer.clip),
        "sequences": step.sequences,
        "targets": figures.targets,
        "goldfish_rate": figures.goldfish_dropped / counted if counted else 0.0,
        "context": figures.context,
        "verdict": step.verdict.value,
        "seconds": seconds,
        "tokens_per_second": speed,
        "mfu": None if peak is None else speed * flop / peak,
        "epochs": parts.samples.epochs(step.after.samples),
        "memory": int(memory),
        "data_seconds": data_seconds,
        **figures.measures,
    }
