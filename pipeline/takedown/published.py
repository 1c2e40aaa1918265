"""What corpus.json says of takedowns, and the files of `takedown/` that it lists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.takedown.demands import Demand, tombstone_bytes

FOLDER = "takedown"


def receipt_path(number: int) -> str:
    """Where the receipt of a takedown lies, counted from 1."""
    return f"{FOLDER}/receipt-{number:04d}.json"


def takedown_fields(demands: Sequence[Demand]) -> dict[str, Any]:
    """How many demands there are, and the SHA-256 of the list that the corpus was masked with."""
    return {"demands": len(demands), "sha256": hashlib.sha256(tombstone_bytes(demands)).hexdigest()}


def takedown_files(storage: Storage) -> list[Output]:
    """Everything in `takedown/`: the list, the output filter and the receipts, in order of path."""
    found = []
    for path in sorted(storage.list(FOLDER)):
        data = storage.read(path)
        found.append(Output(path, len(data), hashlib.sha256(data).hexdigest()))
    return found
