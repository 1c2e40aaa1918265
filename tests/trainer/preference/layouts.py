"""What test_objective.py runs in two processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lauter.trainer.config.load import load_tune
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.enter import Wanted
from lauter.trainer.loop.run import train_on
from lauter.trainer.loop.step import gradient
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.preference.dpo import DPO
from lauter.trainer.preference.objective import PreferenceObjective
from lauter.trainer.preference.qrpo import QRPO
from lauter.trainer.preference.terms import PreferenceLoss
from lauter.trainer.preference.tuning import tuned_by_preferences
from tests.trainer.loop.language import quiet
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import laid_out, of_all_stages, require_one_verdict, whole
from tests.trainer.preference.pairs import pairs

LAYOUTS = {
    "fsdp-2": ParallelSection(),
    "tensor-2": ParallelSection(tensor=2),
    "context-2": ParallelSection(context=2),
    "pipeline-2": ParallelSection(pipeline=2),
}
LOSSES: dict[str, PreferenceLoss] = {"qrpo": QRPO(beta=2.0, largest_beta=None), "dpo": DPO(beta=1.5)}
CASES = [*((layout, "qrpo") for layout in LAYOUTS), ("fsdp-2", "dpo")]
"""A layout knows nothing of the loss but its slopes."""
PAIRS, MICRO = 8, 2


def step(ranks: Ranks, section: ParallelSection, name: str) -> dict[str, Any]:
    """Figures and whole gradients of one step."""
    model, passes, optimizer, grid = laid_out(ranks, section, "fp64")
    share = PAIRS // grid.data_ranks
    first = grid.data_rank * share
    batches = [pairs(range(at, at + MICRO)) for at in range(first, first + share, MICRO)]
    objective = PreferenceObjective(LOSSES[name])
    figures = gradient(passes, optimizer, batches, z_loss=0.0, axes=grid, objective=objective)
    require_one_verdict(ranks, figures)
    gradients = {name: whole(one.grad) for name, one in model.named_parameters() if one.grad is not None}
    return {"loss": figures.loss, "measures": figures.measures, "gradient": of_all_stages(ranks, gradients)}


def two(ranks: Ranks, folder: Path) -> None:
    """Every layout with every loss."""
    for layout, name in CASES:
        keep(ranks, folder, f"{layout}-{name}", step(ranks, LAYOUTS[layout], name))
    # Each makes every other block, and both learn.
    os.environ |= {"RANK": str(ranks.rank), "WORLD_SIZE": str(ranks.count)}
    section = tuned_by_preferences(
        load_tune(str(folder / "config.yaml"), needs_data=False), "dpo", folder / "run", folder / "sft", print
    )
    train_on(ranks, section, folder / "run", wanted=Wanted(folder / "sft"), console=quiet())
