"""Layouts of two axes at once, on four ranks."""

from __future__ import annotations

from pathlib import Path

import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.plan import let_go
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.probes.probe import Probe
from lauter.trainer.probes.score import Score, Share, score
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import ALONE, SHALLOW, SHAPE, laid_out, prove

Layouts = dict[str, tuple[ParallelSection, int, ModelShape]]
"""Name -> layout, windows of a micro-batch, and the model."""

LAYOUTS: Layouts = {
    "tensor-pipeline": (ParallelSection(tensor=2, pipeline=2), 2, SHAPE),
    "pipeline-gather": (ParallelSection(pipeline=2, context=2), 2, SHAPE),
    "tensor-gather": (ParallelSection(tensor=2, context=2), 2, SHALLOW),
    "tensor-ulysses": (ParallelSection(tensor=2, context=2, context_kind="ulysses", sequence=False), 4, SHALLOW),
    "tensor-ring": (ParallelSection(tensor=2, context=2, context_kind="ring", vocabulary=False), 8, SHALLOW),
}
MORE_LAYOUTS: Layouts = {
    "tensor-pipeline-each": (ParallelSection(tensor=2, pipeline=2, sequence=False), 1, SHAPE),
    "tensor-zero-bubble": (
        ParallelSection(tensor=2, pipeline=2, schedule="interleaved-zero-bubble", stages_per_rank=2),
        1,
        SHAPE,
    ),
    "pipeline-ring": (
        ParallelSection(pipeline=2, context=2, context_kind="ring", schedule="interleaved", stages_per_rank=2),
        2,
        SHAPE,
    ),
    "all-recomputed": (ParallelSection(tensor=2, context=2, recompute="full"), 2, SHAPE),
}
"""The same at length."""

PROBED: dict[str, ParallelSection] = {
    "tensor-ring": ParallelSection(tensor=2, context=2, context_kind="ring"),
    "pipeline-gather": ParallelSection(pipeline=2, context=2, schedule="interleaved", stages_per_rank=2),
}
"""Name -> layout of a model that probes are asked of."""
MORE_PROBED: dict[str, ParallelSection] = {
    "shard": ParallelSection(),
    "tensor-pipeline": ParallelSection(tensor=2, pipeline=2),
    "tensor-shard": ParallelSection(tensor=2, vocabulary=False),
}
"""The same at length."""


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
    found_by(ranks, folder, LAYOUTS, PROBED)


def four_more(ranks: Ranks, folder: Path) -> None:
    """The same at length."""
    found_by(ranks, folder, MORE_LAYOUTS, MORE_PROBED)


def found_by(ranks: Ranks, folder: Path, layouts: Layouts, probed: dict[str, ParallelSection]) -> None:
    for name, (section, micro, shape) in layouts.items():
        keep(ranks, folder, name, prove(ranks, section, micro, shape))
    probes = torch.load(folder / "probes.pt", weights_only=False)
    for name, section in probed.items():
        keep(ranks, folder, f"probed-{name}", scores(ranks, section, probes))
