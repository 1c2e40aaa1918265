"""Runs `lauter` so that it does not outlive the process that started it.

`python -m lauter.trainer.launch.bound PARENT train …`; PARENT is that process's id. An actor that Ray kills can't end
its child, and a rank that is left over would hold the run's folder and its port.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from lauter.pipeline.cli import main

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent ends."""


def bind(parent: int) -> None:
    """Die with `parent`, which must be the one that started this process.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if os.getppid() != parent:
        # It ended before we asked.
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    bind(int(sys.argv.pop(1)))
    main()
