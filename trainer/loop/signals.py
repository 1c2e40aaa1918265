"""Signals that end a run in good order: finish the step, save, leave."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from lauter.trainer.parallel.ranks import Ranks

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, what schedulers send at the end, a terminal that goes away, and the two that Slurm's `--signal` is set to."""


class Signals:
    """While used as a context, notes the first ending signal in place of dying of it."""

    def __init__(self, *, speaks: bool) -> None:
        """`speaks`: whether this process says on standard error that it heard; of several only one need."""
        self._speaks = speaks
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
        if self.received is None:
            self.received = signal.Signals(number)
            again = "; again to leave at once" if number == signal.SIGINT else ""
            self._say(f"{self.received.name}: finishing the step and saving{again}")
        if number == signal.SIGINT:
            # The system's own handler: a second Ctrl-C ends the process at once, in the middle of a kernel too.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _say(self, message: str) -> None:
        if self._speaks:
            # Written past Python's buffers, whose locks the interrupted code may hold. A terminal has ^C on its line.
            begin = "\n" if os.isatty(2) else ""
            with suppress(OSError):
                os.write(2, f"{begin}{message}\n".encode())
