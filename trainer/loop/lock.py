"""One run a folder: a lock that the kernel lets go of when the process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lauter.trainer.loop.errors import ConfigError, RunFailed

LOCK = "lock"

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system says that has none: Lustre mounted without `flock`, some NFS."""


@contextmanager
def locked(out: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Make a run folder and hold it: a second run would clear this one's unfinished saves. For the first rank only.

    Raises:
        ConfigError: the folder is a file, or lies below one.
        RunFailed: another run holds it; the message says which process, on which machine.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"--out {out}: {error.filename} is a file; a run needs a folder") from error
    with (out / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunFailed(f"{out} is in use by {holder}; wait for its end, stop it, or give another --out") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            tell(f"{out} can't be locked on this file system: see to it that no second run writes there")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
