"""Watches loss and gradient: leaves out bad steps, then goes back and passes over their samples, then stops the run.

The way of PaLM (arXiv 2204.02311, section 5.1): go on from a checkpoint before the spike, without its batches.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from enum import Enum
from statistics import median
from typing import Any

from lauter.trainer.config.watching import GuardSection


class Verdict(Enum):
    """What is to be done with a step whose gradient is known and not yet applied."""

    update = "update"
    skip = "skip"
    """Leave the gradient out; its samples are consumed."""
    back = "back"
    """Go back to the last checkpoint."""
    stop = "stop"
    """Nothing helped: the run fails."""


class Guard:
    """Judges by numbers that all ranks share, so that all come to the same verdict; its state lies in checkpoints."""

    def __init__(self, section: GuardSection) -> None:
        self._section = section
        self._losses: deque[float] = deque(maxlen=section.window)
        self._norms: deque[float] = deque(maxlen=section.window)
        self._stretch: tuple[int, int] | None = None
        self._skipped = 0
        self.rollbacks = 0
        """How often the run went back."""
        self.passed_over: list[tuple[int, int]] = []
        """Samples [first, end) that are not trained on after a rollback, ascending."""

    def judge(self, first: int, end: int, loss: float, norm: float) -> Verdict:
        """A step over samples [first, end) with this mean loss and this norm of the whole gradient."""
        if self.fault(loss, norm) is None:
            self._losses.append(loss)
            self._norms.append(norm)
            self._stretch, self._skipped = None, 0
            return Verdict.update
        self._stretch = (first if self._stretch is None else self._stretch[0], end)
        self._skipped += 1
        if self._skipped <= self._section.skips:
            return Verdict.skip
        return Verdict.back if self.rollbacks < self._section.rollbacks else Verdict.stop

    def fault(self, loss: float, norm: float) -> str | None:
        """What is wrong with a step, in words; none for a good one. A spike is known once the window is full."""
        for name, value, before in (("loss", loss, self._losses), ("gradient norm", norm, self._norms)):
            if not math.isfinite(value):
                return f"the {name} is {value}"
            factor = self._section.spike_factor
            if factor is not None and len(before) == self._section.window and value > factor * median(before):
                return f"the {name}, {value:.4g}, is more than {factor:g} times the median, {median(before):.4g}"
        return None

    def go_back(self, saved: Mapping[str, Any] | None) -> None:
        """Take the windows as they were at the checkpoint, and pass over the bad stretch from now on."""
        assert self._stretch is not None
        stretches, rollbacks = [*self.passed_over, self._stretch], self.rollbacks + 1
        self.load({} if saved is None else saved)
        self.rollbacks = rollbacks
        self.passed_over = sorted(set(stretches))

    @property
    def in_stretch(self) -> bool:
        """Whether the step before was bad: nobody knows yet whether its samples are to blame, or the weights."""
        return self._stretch is not None

    def next_sample(self, first: int, count: int) -> int:
        """The first sample at or after this one from which on `count` samples have none that is passed over.

        The batch size may have changed since, so a step may begin before a stretch and reach into it.
        """
        for start, end in self.passed_over:
            if start < first + count and first < end:
                first = end
        return first

    def state(self) -> dict[str, Any]:
        """As JSON, floats to the bit."""
        return {
            "losses": list(self._losses),
            "norms": list(self._norms),
            "stretch": self._stretch,
            "skipped": self._skipped,
            "rollbacks": self.rollbacks,
            "passed_over": self.passed_over,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`; of an empty one, the start."""
        self._losses = deque(state.get("losses", ()), maxlen=self._section.window)
        self._norms = deque(state.get("norms", ()), maxlen=self._section.window)
        stretch = state.get("stretch")
        self._stretch = None if stretch is None else (stretch[0], stretch[1])
        self._skipped = state.get("skipped", 0)
        self.rollbacks = state.get("rollbacks", 0)
        self.passed_over = [(start, end) for start, end in state.get("passed_over", ())]
