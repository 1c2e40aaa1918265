"""Signed records that became no document, and what is told of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline import exchange, parquet
from lauter.pipeline.steps import mirror_pairs
from lauter.pipeline.steps.layouts import ITEMS, MIRRORS, TOUCHES
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task


def _items(storage: Storage, path: str, rows: list[int], item: list[int]) -> Output:
    table = pa.table([item, rows, [[0, 0]] * len(rows), [b"%d" % row for row in rows]], schema=ITEMS)
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, ITEMS)
        for batch in table.to_batches(max_chunksize=4):
            sink.write(pa.Table.from_batches([batch]), np.zeros(batch.num_rows, np.int64))
        sink.close()
        return exchange.describe(staged, path, sink.rows)


def _mirrors(storage: Storage, path: str, rows: list[int]) -> Output:
    columns = [rows, [row.to_bytes(16, "big") for row in rows], [f"https://n{row}.example/" for row in rows]]
    table = pa.table([*columns, ["ab"[row % 2] for row in rows]], schema=MIRRORS)
    with storage.staging(path) as staged:
        sink = parquet.ParquetSink(staged, MIRRORS)
        for batch in table.to_batches(max_chunksize=7):
            sink.write(batch)
            sink.cut()
        sink.close()
        return parquet.describe(staged, path)


def test_a_parts_records_are_read_once_whatever_messages_name_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(str(tmp_path))
    monkeypatch.setattr(exchange, "RUN_BYTES", 64)
    rows = [*range(0, 60, 3)]
    item = [row % 9 for row in rows]
    order = np.random.default_rng(3).permutation(len(rows)).tolist()
    # Part 0 has nothing in this range.
    items = [
        _items(storage, "items/0.arrow", [], []),
        _items(storage, "items/1.arrow", [rows[place] for place in order], [item[place] for place in order]),
    ]
    assert len(list(exchange.messages(storage, "items/1.arrow", ITEMS))) > 1
    named = [_mirrors(storage, f"mirrors/{part}.parquet", [*range(60)]) for part in range(2)]
    for name, outputs in (("items", items), ("records", named), ("meetings", [])):
        storage.write(f"{name}.json", json.dumps([output.to_json() for output in outputs]).encode())
    read: list[str] = []
    opened = Storage.open

    def counting(self: Storage, path: str) -> pa.NativeFile:
        read.append(path)
        return opened(self, path)

    monkeypatch.setattr(Storage, "open", counting)
    args = {"partition": 0, "partitions": 1, "items": "items.json", "records": "records.json"}
    task = Task("mirror-left/00000", "", str(tmp_path), {**args, "meetings": "meetings.json"}, "")
    (output,) = mirror_pairs.left(task, storage).outputs
    assert [path for path in read if path.startswith("mirrors/")] == ["mirrors/1.parquet"]
    first: dict[tuple[int, str], int] = {}
    for row, of in zip(rows, item, strict=True):
        first.setdefault((of, "ab"[row % 2]), row)
    found = [found for batch in exchange.messages(storage, output.path, TOUCHES) for found in batch.to_pylist()]
    assert found == [
        {
            "item": of,
            "of": of,
            "record": (1 << 32) | row,
            "stage": stage,
            "doc_id": row.to_bytes(16, "big"),
            "url": f"https://n{row}.example/",
            "sketch": b"%d" % row,
            "sure": 1,
        }
        for (of, stage), row in sorted(first.items())
    ]
