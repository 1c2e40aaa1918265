"""Layouts of two axes at once, on four ranks."""

from __future__ import annotations

from pathlib import Path

import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.plan import let_go
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.probes.probe import Probe
from lauter.trainer.probes.score import Score, Share, score
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import ALONE, SHAPE, laid_out, prove

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


PROBED: dict[str, ParallelSection] = {
    "shard": ParallelSection(),
    "tensor-pipeline": ParallelSection(tensor=2, pipeline=2),
    "tensor-shard": ParallelSection(tensor=2, vocabulary=False),
    "tensor-ring": ParallelSection(tensor=2, context=2, context_kind="ring"),
    "pipeline-gather": ParallelSection(pipeline=2, context=2, schedule="interleaved", stages_per_rank=2),
}
"""Name -> layout of a model that probes are asked of."""


def asked() -> list[Probe]:
    """Seven probes of two lengths; of every other one the answer is what the model says after such a text."""
    model, *_ = laid_out(ALONE.ranks, ParallelSection(), "fp64")
    generator = torch.Generator().manual_seed(9)
    found = []
    for number, length in enumerate((16, 16, 16, 16, 32, 32, 32)):
        ids = torch.randint(SHAPE.vocabulary, (length + 1,), generator=generator)
        if number % 2 == 0:
            for place in (length - 1, length):
                positions = torch.arange(place, dtype=torch.int32)
                with torch.no_grad():
                    ids[place] = model(ids[:place], positions, Bounds.of([place]))[-1].argmax()
        found.append(Probe(tuple(ids.tolist()), 2, "made-up", length, number / 8))
    return found


def scores(ranks: Ranks, section: ParallelSection, probes: list[Probe]) -> list[Score]:
    """Of a model with the first values of the proofs."""
    model, passes, _, grid = laid_out(ranks, section, "fp64")
    share = Share(grid.data_rank, grid.data_ranks, grid.counts_loss, ranks.sum)
    found = score(probes, passes.token_hits, tokens=32, share=share)
    let_go(model)
    return found


def four(ranks: Ranks, folder: Path) -> None:
    """Every layout, one after the other."""
    for name, (section, micro) in LAYOUTS.items():
        keep(ranks, folder, name, prove(ranks, section, micro))
    probes = torch.load(folder / "probes.pt", weights_only=False)
    for name, section in PROBED.items():
        keep(ranks, folder, f"probed-{name}", scores(ranks, section, probes))
