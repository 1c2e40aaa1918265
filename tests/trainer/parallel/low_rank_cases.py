"""Layouts of models of which low-rank parts are trained only."""

from __future__ import annotations

from pathlib import Path

from lauter.trainer.config.lora import LoraSection
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import SHALLOW, prove

LORA = LoraSection(rank=2, alpha=3)
FOUR = {
    "shard-tensor": (ParallelSection(tensor=2), 2),
    # More ranks than key heads: each has the whole weight and computes some of its rows.
    "tensor-4": (ParallelSection(tensor=4, sequence=False, vocabulary=False, recompute="full"), 4),
    "pipeline-context": (ParallelSection(pipeline=2, context=2, context_kind="ring"), 4),
}


def four(ranks: Ranks, folder: Path) -> None:
    """On four ranks."""
    for name, (how, micro) in FOUR.items():
        keep(ranks, folder, name, prove(ranks, how, micro, SHALLOW, LORA))
