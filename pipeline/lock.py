"""One build at a time in a run folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lauter.pipeline.storage import Storage, StorageError


@contextmanager
def build_lock(storage: Storage) -> Iterator[None]:
    """Hold the run folder's lock; the kernel gives it back when the process dies, however it dies.

    Raises `StorageError` where another build holds it. On S3 there is no such lock: tasks are idempotent and publish
    whole, so two equal builds only waste work.
    """
    if not storage.is_local:
        yield
        return
    path = Path(storage.absolute("state/lock"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"another `lauter build` is at work in {storage.root}; wait for it or stop it"
            ) from error
        yield
