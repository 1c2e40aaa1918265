"""Where rows that tripped a wall-clock guard are remembered, so that a rerun decides the same without trying again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lauter.pipeline.storage import Storage

FOLDER = "state/quarantine"


@contextmanager
def quarantine_folder(storage: Storage) -> Iterator[str]:
    """A local folder with one file per remembered row: the run's own, or a copy that is written back to S3."""
    if storage.is_local:
        folder = Path(storage.absolute(FOLDER))
        folder.mkdir(parents=True, exist_ok=True)
        yield str(folder)
        return
    with tempfile.TemporaryDirectory(prefix="lauter-quarantine-") as scratch:
        known = {Path(path).name for path in storage.list(FOLDER)}
        for name in known:
            (Path(scratch) / name).write_bytes(storage.read(f"{FOLDER}/{name}"))
        yield scratch
        for file in sorted(Path(scratch).iterdir()):
            if file.name not in known:
                storage.write(f"{FOLDER}/{file.name}", file.read_bytes())
