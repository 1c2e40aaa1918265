"""Near-copies of removed records. Whether they go too is a decision of its own.

A copy is a document of the same cluster, or one that was found to be the copy of a record that is no document
(`mirror_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet, schema
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.blank import REMOVED
from lauter.pipeline.takedown.find import Found, Indexes

NONE: Indexes = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Copies:
    """What stands in one cluster with removed records and is not removed itself."""

    doc_ids: tuple[str, ...]
    """Hex, sorted, each once."""
    verdicts: dict[str, int]


def find_copies(storage: Storage, parts: Sequence[str], found: Found) -> Copies:
    """Copies of the records that were found, but for those that are removed already."""
    hit = {part.part: part.rows for part in found.parts}
    clusters: set[int] = set()
    for name, rows in hit.items():
        for table in _decisions(storage, name):
            clusters.update(table.filter(_isin(table, rows)).column("cluster").drop_null().to_pylist())
    ids: set[str] = set()
    verdicts: Counter[str] = Counter()
    known = pa.array(sorted(clusters), pa.uint64())
    removed = pa.array([doc_id for part in found.parts for doc_id in part.doc_id.to_pylist()], schema.DOC_ID)
    for name in parts if found.parts else ():
        for table in _decisions(storage, name):
            copied = pc.is_in(table.column("mirror_of"), value_set=removed)
            table = table.filter(pc.or_(copied, pc.is_in(table.column("cluster"), value_set=known)))
            table = table.filter(pc.invert(_isin(table, hit.get(name, NONE))))
            if table.num_rows:
                said = _verdicts(storage, name, table.column("row").to_numpy().astype(np.int64))
                for doc_id, verdict in zip(table.column("doc_id").to_pylist(), said, strict=True):
                    if verdict != REMOVED:
                        ids.add(doc_id.hex())
                        verdicts[verdict] += 1
    return Copies(tuple(sorted(ids)), dict(sorted(verdicts.items())))


def _decisions(storage: Storage, part: str) -> Iterator[pa.Table]:
    path = f"decisions/{part}.parquet"
    if storage.size(path) is not None:
        for batch in parquet.batches(storage, path, ["doc_id", "row", "cluster", "mirror_of"]):
            yield pa.Table.from_batches([batch])


def _isin(table: pa.Table, rows: Indexes) -> pa.Array:
    return pa.array(np.isin(table.column("row").to_numpy(), rows))


def _verdicts(storage: Storage, part: str, rows: Indexes) -> list[str]:
    column = parquet.read(storage, f"ledger/{part}.parquet", ["verdict"]).column("verdict").cast(pa.string())
    found: list[str] = column.take(pa.array(rows)).to_pylist()
    return found
