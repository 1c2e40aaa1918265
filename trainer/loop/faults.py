"""What a run says of a step that is not applied."""

from __future__ import annotations

from lauter.trainer.config.watching import GuardSection
from lauter.trainer.loop.guard import Guard, Verdict
from lauter.trainer.loop.step import Figures
from lauter.trainer.progress import Progress

WORDS = {
    Verdict.skip: "left out",
    Verdict.back: "goes back to the last sound checkpoint and passes over the samples of the bad stretch",
    Verdict.stop: "gives up",
}


def not_applied(guard: Guard, after: Progress, figures: Figures, verdict: Verdict) -> str:
    """The step, its fault and what becomes of it, in a line."""
    fault = guard.fault(figures.loss, figures.norm) if figures.targets else "it has no targets"
    return f"step {after.step}: {fault}; {WORDS[verdict]}"


def given_up(section: GuardSection, guard: Guard, before: Progress, after: Progress, figures: Figures) -> str:
    """Why a run ends here, and how to mend it."""
    return (
        f"step {after.step}, samples {before.samples:,} to {after.samples:,}: "
        f"{guard.fault(figures.loss, figures.norm)}, after {section.skips} steps left out in a row and "
        f"{guard.rollbacks} return(s) to a checkpoint. Look at these samples, lower optimizer.learning_rate, "
        "or raise guard.skips or guard.rollbacks; the same command goes on from the last checkpoint"
    )
