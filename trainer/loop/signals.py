"""Signals that end a run in good order: finish the step, save, leave."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from lauter.trainer.parallel.ranks import Ranks

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, what schedulers send at the end, a terminal that goes away, and the two that Slurm's `--signal` is set to."""


class Signals:
    """While used as a context, notes the first ending signal in place of dying of it."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        """Take the signals over; one that is ignored stays so, as `nohup` wants it."""
        taken = [one for one in ENDING if signal.getsignal(one) is not signal.SIG_IGN]
        self._before = {one: signal.signal(one, self._note) for one in taken}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back."""
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def agreed(self, ranks: Ranks) -> signal.Signals | None:
        """The signal that any rank got, the same on all of them; to be asked at the same place by all."""
        (number,) = ranks.max([float(self.received or 0)])
        return signal.Signals(int(number)) if number else None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
        if number == signal.SIGINT:
            # The system's own handler: a second Ctrl-C ends the process at once, in the middle of a kernel too.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
