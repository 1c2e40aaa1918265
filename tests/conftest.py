"""Settings of the whole suite."""

from __future__ import annotations

import os

from hypothesis import settings

# The first call of a kernel compiles it, for seconds: that is no slow example.
settings.register_profile("lauter", deadline=None)
settings.load_profile("lauter")


def _unsynced(_descriptor: int) -> None:
    """In place of `os.fsync`, which waits for the disk."""


# No test cuts the power, and only that tells a synced file from one that the kernel still holds: a killed process loses
# neither. A build of three lines syncs 410 files, 4.3 of its 9.2 s on a busy disk. Processes that tests start do sync.
os.fsync = _unsynced  # type: ignore[assignment]
