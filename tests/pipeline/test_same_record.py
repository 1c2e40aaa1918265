"""The same id met twice: as a dictionary finds it, by any number of ranges."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.sorted_runs import SortedSink
from lauter.pipeline.steps import same_record
from lauter.pipeline.steps.documents import identities
from lauter.pipeline.steps.layouts import IDENTITY, ROWS
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task

HALF = st.sampled_from([0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
PARTS = st.lists(st.lists(st.tuples(HALF, HALF), max_size=12), min_size=1, max_size=4)


def written(storage: Storage, part: int, ids: list[tuple[int, int]], message_bytes: int = 40) -> Output:
    """The identities of a part, as `documents` leaves them, in two batches."""
    doc_id = pa.array([(high << 64 | low).to_bytes(16, "big") for high, low in ids], pa.binary(16))
    path = f"state/identity/{part}.arrow"
    with storage.staging(path) as staged:
        sink = SortedSink(staged, IDENTITY, message_bytes)
        for some in (doc_id.slice(0, 5), doc_id.slice(5)):
            sink.write(identities(some, sink.rows))
        sink.close()
        return exchange.describe(staged, path, sink.rows)


@settings(max_examples=30, deadline=None)
@given(parts=PARTS, ranges=st.sampled_from([1, 3, 16, 4096]))
def test_all_but_the_first_record_of_an_id(parts: list[list[tuple[int, int]]], ranges: int) -> None:
    first: dict[tuple[int, int], tuple[int, int]] = {}
    wanted = {(part, row) for part, ids in enumerate(parts) for row, own in enumerate(ids)}
    for part, ids in enumerate(parts):
        for row, own in enumerate(ids):
            first.setdefault(own, (part, row))
    wanted -= set(first.values())
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        outputs = [written(storage, part, ids) for part, ids in enumerate(parts)]
        listed = Listings(storage).publish("identity", lambda: outputs)
        found: list[tuple[int, int]] = []
        count = 0
        touched = {high * ranges >> 64 for ids in parts for high, _ in ids} | {0}
        for number in sorted(touched):
            args = {"listing": listed, "partition": number, "partitions": ranges}
            result = same_record.run(Task(f"same/{number:05d}", "", folder, args), storage)
            count += result.info["same_record"]
            for part in range(len(parts)):
                rows, _ = exchange.read_parts(storage, [result.outputs[0].path], part, ROWS)
                found += [(part, row) for row in rows.column("row").to_pylist()]
        assert len(found) == count == len(set(found)) and set(found) == wanted


@given(ids=st.lists(st.tuples(HALF, HALF), max_size=30))
def test_ids_that_come_again(ids: list[tuple[int, int]]) -> None:
    held = np.array(sorted(ids), np.uint64).reshape(-1, 2)
    count = same_record.repeated(held)
    assert [tuple(row) for row in held[:count].tolist()] == sorted({own for own in ids if ids.count(own) > 1})


def test_room_grows(tmp_path: Path) -> None:
    """More ids than there is room for at first, of which one comes again."""
    rng = np.random.default_rng(3)
    ids = [(int(value), 7) for value in rng.permutation(same_record.FIRST_IDS * 2 + 3)]
    ids.append(ids[11])
    storage = Storage(str(tmp_path))
    outputs = [written(storage, 0, ids[:100]), written(storage, 1, ids[100:], 1 << 14)]
    listed = Listings(storage).publish("identity", lambda: outputs)
    result = same_record.run(Task("same/0", "", "", {"listing": listed, "partition": 0, "partitions": 1}), storage)
    rows, _ = exchange.read_parts(storage, [result.outputs[0].path], 1, ROWS)
    assert rows.column("row").to_pylist() == [len(ids) - 101]
