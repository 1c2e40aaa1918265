"""Layouts of two axes at once, on four ranks."""

from __future__ import annotations

from pathlib import Path

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import prove

LAYOUTS: dict[str, tuple[ParallelSection, int]] = {
    "tensor-pipeline": (ParallelSection(tensor=2, pipeline=2), 1),
    "tensor-pipeline-two": (ParallelSection(tensor=2, pipeline=2, sequence=False), 2),
    "tensor-zero-bubble": (
        ParallelSection(tensor=2, pipeline=2, schedule="interleaved-zero-bubble", stages_per_rank=2),
        1,
    ),
    "tensor-gather": (ParallelSection(tensor=2, context=2), 2),
    "tensor-ulysses": (ParallelSection(tensor=2, context=2, context_kind="ulysses", sequence=False), 4),
    "tensor-ring": (ParallelSection(tensor=2, context=2, context_kind="ring", vocabulary=False), 8),
    "pipeline-gather": (ParallelSection(pipeline=2, context=2), 1),
    "pipeline-ring": (
        ParallelSection(pipeline=2, context=2, context_kind="ring", schedule="interleaved", stages_per_rank=2),
        2,
    ),
    "all-recomputed": (ParallelSection(tensor=2, context=2, recompute="full"), 2),
}
"""Name -> layout and windows of a micro-batch."""


def four(ranks: Ranks, folder: Path) -> None:
    """Every layout, one after the other."""
    for name, (section, micro) in LAYOUTS.items():
        keep(ranks, folder, name, prove(ranks, section, micro))
