"""SHA-256 of input files, remembered by path, size and time, so that an unchanged model is read once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lauter.pipeline.storage import FileStat, Storage, StorageError, open_input

PATH = "state/digests.json"


class DigestCache:
    """Digests of the files that stages read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, Any] = {}
        try:
            if storage.size(PATH) is not None:
                self._known = storage.read_json(PATH)
        except StorageError:
            self._known = {}

    def sha256(self, file: FileStat) -> dict[str, Any]:
        """Name, size and SHA-256 of a file; the path is left out, so that moving a file changes nothing."""
        mark = json.dumps([file.uri, file.size, file.mtime_ns])
        if mark not in self._known:
            digest = hashlib.sha256()
            with open_input(file.uri) as stream:
                while block := stream.read(8 << 20):
                    digest.update(block)
            self._known[mark] = digest.hexdigest()
        return {"name": file.uri.rsplit("/", 1)[-1], "size": file.size, "sha256": self._known[mark]}

    def save(self) -> None:
        """Keep what was learned for the next run."""
        self._storage.write(PATH, json.dumps(self._known, sort_keys=True).encode())
