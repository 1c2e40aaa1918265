"""Small ledgers of any content, published as a corpus of which there is nothing but the ledger."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lauter.pipeline import parquet, schema
from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.proof.chain import publish, tree_fields, write_ranges
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.published import takedown_fields

Row = dict[str, Any]


def row(number: int, url: str | None, **values: object) -> Row:
    """A ledger row; its doc_id is its number."""
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    return {
        "doc_id": number.to_bytes(16, "big"),
        "source": "web",
        "file": "a.warc",
        "offset": number,
        "length": 7,
        "url": url,
        "fetched_at": when,
        "verdict": "kept",
        **values,
    }


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows as the ledger has them."""
    return pa.Table.from_pylist([dict(item) for item in rows], schema.LEDGER)


def write_ledger(out: Path, parts: Sequence[Sequence[Row]], row_group_bytes: int = 1) -> list[str]:
    """Write each part, every row in a row group of its own unless told otherwise; returns their paths."""
    for number, rows in enumerate(parts):
        batches = table(rows).to_batches(max_chunksize=1)
        parquet.write(Storage(str(out)), f"ledger/{number}.parquet", schema.LEDGER, batches, row_group_bytes)
    return [f"ledger/{number}.parquet" for number in range(len(parts))]


def publish_ledger(out: Path, parts: Sequence[Sequence[Row]], row_group_bytes: int = 1) -> dict[str, Any]:
    """Write the ledger and a corpus.json that names it."""
    storage = Storage(str(out))
    paths = write_ledger(out, parts, row_group_bytes)
    outputs = [parquet.describe(out / path, path) for path in paths]
    tree = merkle_root(storage, paths)
    counted = {"records": 0, "corrupt_ranges": 0}
    entry = {"source": "web", "uri": "", "file": "a.warc", "sha256": "", "counted": counted}
    files: dict[str, list[object]] = {kind: [] for kind in ("documents", "scores", "decisions", "tokens", "prepared")}
    corpus = {
        "name": "small",
        "lauter": "1",
        "lineage": "",
        "layout_id": "",
        "summary": {},
        "inputs": [{"part": str(number), **entry} for number in range(len(parts))],
        "sources": {},
        "files": {
            **files,
            "ledger": [output.to_json() for output in outputs],
            "other": [write_ranges(storage, tree).to_json()],
        },
        "ledger_sha256": combined_digest(outputs),
        "takedown": takedown_fields([]),
        **tree_fields(tree),
    }
    return publish(storage, corpus, "build")
