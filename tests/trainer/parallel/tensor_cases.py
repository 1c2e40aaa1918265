"""What test_tensor.py runs in several processes."""

from __future__ import annotations

from pathlib import Path

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import prove

TWO = {
    "tensor-2": (ParallelSection(tensor=2), 2),
    "not-sequence": (ParallelSection(tensor=2, sequence=False), 8),
    "not-vocabulary": (ParallelSection(tensor=2, vocabulary=False), 8),
    "neither": (ParallelSection(tensor=2, sequence=False, vocabulary=False), 8),
    "recompute": (ParallelSection(tensor=2, recompute="full"), 8),
    "selective": (ParallelSection(tensor=2, recompute="selective"), 8),
}
FOUR = {
    "tensor-4": (ParallelSection(tensor=4), 4),
    "with-fsdp": (ParallelSection(tensor=2, shard=2), 1),
    "with-hsdp": (ParallelSection(tensor=2, replicate=2, vocabulary=False), 2),
}


def two(ranks: Ranks, folder: Path) -> None:
    for name, (section, micro) in TWO.items():
        keep(ranks, folder, name, prove(ranks, section, micro))


def four(ranks: Ranks, folder: Path) -> None:
    for name, (section, micro) in FOUR.items():
        keep(ranks, folder, name, prove(ranks, section, micro))
