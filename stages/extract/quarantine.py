"""Remembers pages that a clock or a crash decided, so that a rerun decides the same without trying again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path


class Quarantine:
    """One small file a page in a local folder, named by its doc_id and by what was tried with it."""

    def __init__(self, folder: str, attempt: str, reasons: Collection[str]) -> None:
        """`attempt` names the extractor and its limits: under other ones a page is tried again. `reasons` are known."""
        self._folder = Path(folder)
        self._attempt = attempt
        self._reasons = frozenset(reasons)

    def _path(self, doc_id: bytes) -> Path:
        return self._folder / f"{doc_id.hex()}.{self._attempt}.json"

    def reason(self, doc_id: bytes) -> str | None:
        """Why the page is here, None if it is not (or if its file cannot be read)."""
        try:
            reason = json.loads(self._path(doc_id).read_bytes())["reason"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return reason if reason in self._reasons else None

    def add(self, doc_id: bytes, reason: str) -> None:
        """Remember the page. The file appears whole or not at all. Raises `OSError` if the folder cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"doc_id": doc_id.hex(), "reason": reason}, sort_keys=True) + "\n"
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".tmp", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._path(doc_id))
