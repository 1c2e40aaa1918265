"""Every decision on one page, with its evidence, from the ledger alone."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet
from lauter.pipeline.corpus import CORPUS
from lauter.pipeline.storage import Storage, StorageError


def explain(storage: Storage, wanted: str) -> list[dict[str, Any]]:
    """The ledger rows of a URL, or of a doc_id in hex, with its scores and soft decision where it has them.

    Raises `StorageError` where there is no finished corpus.
    """
    if storage.size(CORPUS) is None:
        raise StorageError(f"{storage.root} holds no finished corpus; run `lauter build` to its end")
    corpus = storage.read_json(CORPUS)
    doc_id = _doc_id(wanted)
    found = []
    for item, part in zip(corpus["files"]["ledger"], corpus["inputs"], strict=True):
        for batch in parquet.batches(storage, item["path"]):
            mask = (
                pc.equal(batch.column("doc_id"), pa.scalar(doc_id, batch.schema.field("doc_id").type))
                if doc_id
                else pc.equal(batch.column("url"), wanted)
            )
            for row in batch.filter(mask).to_pylist():
                scores = _scores(storage, part["part"], row["doc_id"])
                found.append(_readable(row) | scores)
    return found


def _doc_id(wanted: str) -> bytes | None:
    try:
        value = bytes.fromhex(wanted)
    except ValueError:
        return None
    return value if len(value) == 16 else None


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("doc_id", "duplicate_of", "text_sha256"):
        row[name] = row[name].hex() if row[name] is not None else None
    row["origin_id"] = f"{row['origin_id']:016x}" if row["origin_id"] is not None else None
    row["fetched_at"] = row["fetched_at"].isoformat() if row["fetched_at"] is not None else None
    return row


def _scores(storage: Storage, part: str, doc_id: bytes) -> dict[str, Any]:
    for batch in parquet.batches(storage, f"scores/{part}.parquet"):
        rows = batch.filter(pc.equal(batch.column("doc_id"), pa.scalar(doc_id, pa.binary(16)))).to_pylist()
        if rows:
            return {"scores": {name: value for name, value in rows[0].items() if name not in ("doc_id", "row")}}
    return {}
