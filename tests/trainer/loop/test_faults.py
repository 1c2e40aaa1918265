"""What is said of steps that are not applied."""

from __future__ import annotations

import math

import pytest

from lauter.trainer.config.watching import GuardSection
from lauter.trainer.loop.faults import WORDS, given_up, not_applied
from lauter.trainer.loop.guard import Guard, Verdict
from lauter.trainer.loop.step import Figures
from lauter.trainer.progress import Progress

SECTION = GuardSection(skips=3)


def figures(loss: float, targets: int) -> Figures:
    return Figures(loss, loss, 1.0, targets, 0, 4.0)


@pytest.mark.parametrize("verdict", WORDS)
def test_a_step_is_told_with_its_fault_and_what_becomes_of_it(verdict: Verdict) -> None:
    said = not_applied(Guard(SECTION), Progress(7, 70, 700), figures(math.nan, 9), verdict)
    assert said.startswith("step 7: ")
    assert "nan" in said
    assert said.endswith(WORDS[verdict])


def test_a_step_without_targets_is_told_as_such() -> None:
    said = not_applied(Guard(SECTION), Progress(7, 70, 700), figures(math.nan, 0), Verdict.skip)
    assert said == "step 7: it has no targets; left out"


def test_who_gives_up_says_where_and_what_to_do() -> None:
    said = given_up(SECTION, Guard(SECTION), Progress(6, 6000, 1), Progress(7, 7000, 2), figures(math.inf, 9))
    for part in ("step 7, samples 6,000 to 7,000: ", "after 3 steps", "0 return(s)", "guard.skips or guard.rollbacks"):
        assert part in said
