"""What goes wrong with checkpoints, in words a user can act on."""

from __future__ import annotations

import errno


class CheckpointError(Exception):
    """A checkpoint could not be written, found or read; the message says what, where and how to mend it."""


class NoCheckpoint(CheckpointError):
    """A path that is no checkpoint and no run with one; nothing is broken there."""


class FormatError(CheckpointError):
    """A checkpoint is whole, and of a later version of lauter than this one."""


def explain(error: OSError) -> str:
    """An error of the operating system, with the way out where there is one."""
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}the disk is full; free some space (old checkpoints, other runs) and start the run again"
    if error.errno == errno.EFBIG:
        return f"{where}a file may not grow so large here; raise the limit (`ulimit -f`) or choose another disk"
    return f"{where}{error.strerror or error}"
