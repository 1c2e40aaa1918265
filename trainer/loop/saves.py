"""What saving costs a run: written down, said at its end, and, where failures are foreseen, how often it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lauter.trainer.checkpoint.interval import interval, lost
from lauter.trainer.checkpoint.store import Pause, Written
from lauter.trainer.config.sections import CheckpointSection


class Saves:
    """The saves of one process."""

    def __init__(self, section: CheckpointSection, say: Callable[[str], None]) -> None:
        """`say` takes a line that stays."""
        self._section, self._say = section, say
        self._pauses: list[Pause] = []
        self._line: dict[str, dict[str, Any]] = {}
        self._written: Written | None = None
        self._steps, self._seconds = -1, 0.0
        self._advised = section.mtbf_hours is None

    def add(self, step: int, pause: Pause) -> None:
        """The state after `step` is saved, or copied and being saved."""
        self._pauses.append(pause)
        before = self._line.get("save", {"pause": 0.0, "waited": 0.0})
        self._line["save"] = {
            "step": step,
            "pause": before["pause"] + pause.seconds,
            "waited": before["waited"] + pause.waited,
        }
        if pause.waited:
            waits = sum(one.waited > 0 for one in self._pauses)
            self._say(
                f"step {step}: waited {pause.waited:.3g} s for the save before, which was still being written "
                f"({waits} of {len(self._pauses)} saves so far); raise checkpoint.every_steps or use a faster disk"
            )

    def after_step(self, seconds: float, written: Written | None) -> None:
        """Once a step. Advice is given when the first save is whole, if the time between failures is known.

        Args:
            seconds: Of the step, without the pause for a save.
            written: The last save that is whole, if any is.
        """
        # The first step of a process, in which kernels are compiled, tells nothing of the others.
        self._steps += 1
        if self._steps:
            self._seconds += seconds
        if written is not None and written != self._written:
            self._line["saved"] = {"step": written.step, "seconds": written.seconds}
            self._written = written
        if self._written is not None and self._steps and not self._advised:
            self._advised = True
            self._advise(self._written)

    def line(self) -> dict[str, Any]:
        """For a line of metrics.jsonl, what is new since the one before.

        `save`: the last step that a save began of, and the pauses of all saves since. `saved`: the last that is whole.
        """
        found, self._line = self._line, {}
        return found

    def tell(self) -> None:
        """At the end of a run."""
        if not self._pauses:
            return
        seconds = [one.seconds for one in self._pauses]
        self._say(
            f"saved {len(seconds)} time{'s' if len(seconds) > 1 else ''}: the run stood still for {sum(seconds):.3g} s "
            f"in all, {max(seconds):.3g} s at most; {sum(one.waited > 0 for one in self._pauses)} of them waited for "
            "the save before"
        )

    def _advise(self, written: Written) -> None:
        section = self._section
        assert section.mtbf_hours is not None
        mtbf = section.mtbf_hours * 3600
        pause = self._pauses[0].seconds - self._pauses[0].waited
        writing = written.seconds if section.asynchronous else 0.0
        best = interval(pause, mtbf, writing=writing)
        a_step = self._seconds / self._steps
        now = section.every_steps * a_step
        self._say(
            f"a save stops the run for {pause:.3g} s and is whole after {written.seconds:.3g} s: with a failure every "
            f"{section.mtbf_hours:g} h, one every {best.seconds:,.0f} s loses least, {best.lost:.2%} of the time; "
            f"checkpoint.every_steps={section.every_steps} is one every {now:,.0f} s, which loses "
            f"{lost(now, pause, mtbf, writing=writing):.2%}; {max(1, round(best.seconds / a_step))} would be best"
        )
