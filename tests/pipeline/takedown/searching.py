"""Looks into every file of a run folder, decoded: whether a text, or a digest of it, is anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import components, exchange
from lauter.pipeline.steps import connect, layouts
from lauter.pipeline.storage import Storage

EXCHANGED = {
    "identity": layouts.IDENTITY,
    "keys": layouts.KEYS,
    "items": layouts.ITEMS,
    "mirror-keys": layouts.KEYS,
    "mirror-items": layouts.ITEMS,
    "pairs": layouts.PAIRS,
    "again-pairs": layouts.PAIRS,
    "half": layouts.HALF,
    "again-half": layouts.HALF,
    "wanted": layouts.WANTED,
    "again-wanted": layouts.WANTED,
    "evidence": layouts.EVIDENCE,
    "again-evidence": layouts.EVIDENCE,
    "edges": components.EDGES,
    "ends": components.ENDS,
    "halves": connect.HALF,
    "roots": connect.ROOTS,
    "labels": components.LABELS,
    "members": layouts.MEMBERS,
    "neighbours": layouts.NEIGHBOURS,
    "component-edges": layouts.COMPONENT_EDGES,
    "again-component-edges": layouts.COMPONENT_EDGES,
    "clusters": layouts.CLUSTERS,
    "meetings": layouts.MEETINGS,
    "touches": layouts.TOUCHES,
    "found": layouts.FOUND,
    "mirrored": layouts.MIRRORED,
    "copies": layouts.COPIES,
    "candidates": layouts.CANDIDATES,
    "losers": layouts.LOSERS,
    "same": layouts.ROWS,
    "kept": layouts.KEPT,
    "passages": layouts.PASSAGES,
    "repeats": layouts.REPEATS,
    "left": layouts.KEPT,
    "emptied": layouts.ROWS,
    "encoded": layouts.ENCODED,
    "shares": None,
    "sums": None,
    "held": layouts.HOLDERS,
    "holders": layouts.HOLDERS,
    "positions": layouts.POSITIONS,
    "places": layouts.POSITIONS,
    "leaves": layouts.LEAVES,
    "tally": layouts.TALLIES,
    "totals": layouts.TALLIES,
    "domains": layouts.DOMAINS,
}
"""Folder of `state/` -> layout of its exchange files; None for plain Arrow files."""

Decode = Callable[[list[int]], str]


def contents(out: Path, decode: Decode) -> Iterator[tuple[str, str]]:
    """(path, everything that a file holds as text) of all files; ids decoded, digests and other bytes in hex."""
    for path in sorted(item for item in out.rglob("*") if item.is_file()):
        name = str(path.relative_to(out))
        yield name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            for row in pq.ParquetFile(path).read().to_pylist():
                yield name, _said(row, decode)
        elif path.suffix == ".arrow" and name.startswith(("state/", "signatures/")):
            for batch in _batches(out, name):
                for row in batch.to_pylist():
                    yield name, _said(row, decode)
        elif path.suffix == ".arrow":
            for row in pa.ipc.open_file(path).read_all().to_pylist():
                yield name, _said(row, decode)


def _batches(out: Path, name: str) -> Iterator[pa.RecordBatch]:
    layout = EXCHANGED[name.split("/")[1]]
    if layout is not None:
        yield from exchange.messages(Storage(str(out)), name, layout)
    else:
        reader = pa.ipc.open_file(out / name)
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))


def _said(row: dict[str, Any], decode: Decode) -> str:
    said = []
    for name, value in row.items():
        if name == "tokens" and isinstance(value, list):
            said.append(decode(value))
        elif isinstance(value, bytes):
            said.append(value.hex())
            said.append(value.decode("latin-1"))
        else:
            said.append(repr(value) if not isinstance(value, str) else value)
    return "\n".join(said)


def places(out: Path, needle: str, decode: Decode) -> set[str]:
    """The files that hold a text, whatever the case."""
    return {name for name, text in contents(out, decode) if needle.lower() in text.lower()}
