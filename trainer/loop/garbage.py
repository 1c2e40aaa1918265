"""Python's garbage collector, run at the same steps on every rank.

A rank that collects on its own makes all others wait: Apertus too ran it by hand, every 50 to 500 steps.
"""

from __future__ import annotations

import gc
from types import TracebackType

EVERY_STEPS = 100


class Garbage:
    """While used as a context, collects at every hundredth step only; what existed before is never looked at again."""

    def __enter__(self) -> Garbage:
        """Turn the automatic collection off."""
        self._was_on = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Turn it on again where it was."""
        gc.unfreeze()
        if self._was_on:
            gc.enable()

    def after(self, step: int) -> None:
        """Collect if it is time: all generations, as what survives goes to the oldest; what is frozen costs nothing."""
        if step % EVERY_STEPS == 0:
            gc.collect()
