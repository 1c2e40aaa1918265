"""Why a file of an export could not be written, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEND = {
    errno.ENOSPC: "the disk is full; free some space, or name an --out on another disk",
    errno.EDQUOT: "your quota of the disk is used up; free some space, or name an --out on another disk",
    errno.EFBIG: (
        "a file may not grow so large here; raise the limit (`ulimit -f`), write smaller files (--shard-size, or "
        "--per-shard for tokens), or name an --out on another disk"
    ),
    errno.EACCES: "you may not write there; change the folder's permissions, or name another --out",
    errno.EPERM: "you may not write there; change the folder's permissions, or name another --out",
    errno.EROFS: "nothing can be written there; name another --out",
    errno.ENOENT: "no folder can be made there; name another --out",
    errno.ENOTDIR: "a part of that path is a file; name another --out",
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the operating system name the file: one of a write to an open file does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def write_fault(error: OSError, out: str) -> str:
    """The file, what happened, and how to mend it."""
    mend = _MEND.get(error.errno or 0, "check the disk, or name another --out")
    return f"{error.filename or out} can't be written: {error.strerror or error}: {mend}"
