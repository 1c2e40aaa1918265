"""Sorted runs: every range of every stream is found whole, wherever runs and messages end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.sorted_runs import SortedSink, read_range
from lauter.pipeline.storage import Storage, StorageError

SCHEMA = pa.schema(
    [pa.field("stream", pa.uint16()), pa.field("order", pa.uint64()), pa.field("ids", pa.list_(pa.uint32()))]
)
ORDERS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**63 - 1, 2**63, 2**64 - 1]))
ROWS = st.lists(st.tuples(st.integers(0, 3), ORDERS), max_size=40)


def table(rows: list[tuple[int, int]], first: int = 0) -> pa.Table:
    return pa.Table.from_arrays(
        [
            pa.array([stream for stream, _ in rows], pa.uint16()),
            pa.array([order for _, order in rows], pa.uint64()),
            pa.array([[first + number] * (number % 4) + [first + number] for number in range(len(rows))]),
        ],
        schema=pa.schema([*list(SCHEMA)[:2], pa.field("ids", pa.list_(pa.int64()))]),
    ).cast(SCHEMA)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(ROWS, max_size=4), of=st.sampled_from([1, 3, 8, 1024]), run=st.sampled_from([1, 600, 1 << 20]))
def test_ranges_are_whole(batches: list[list[tuple[int, int]]], of: int, run: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(exchange, "RUN_BYTES", run)
        sink = SortedSink(Path(folder) / "x", SCHEMA, message_bytes=100)
        wanted: dict[tuple[int, int], list[int]] = {}
        for number, rows in enumerate(batches):
            sink.write(table(rows, 100 * number))
            for row, (stream, order) in enumerate(rows):
                cell = int(exchange.partition_of(np.array([order], np.uint64), of)[0])
                wanted.setdefault((stream, cell), []).append(100 * number + row)
        sink.close()
        assert sink.rows == sum(map(len, batches))
        storage = Storage(folder)
        for stream in range(5):
            for first, end in ((0, of), (of // 3, of // 3 + 1), (of - 1, of)):
                found: list[int] = []
                for batch in read_range(storage, "x", stream, (first, end), of, SCHEMA):
                    assert batch.num_rows and np.all(np.diff(batch.column("order").to_numpy().astype(object)) >= 0)
                    found += [ids[0] for ids in batch.column("ids").to_pylist()]
                held = [row for cell in range(first, end) for row in wanted.get((stream, cell), [])]
                assert sorted(found) == sorted(held)


def test_many_small_streams_cost_no_more_messages(tmp_path: Path) -> None:
    """4,000 streams of one document: as many messages as one stream with all of them."""
    sizes = []
    for streams in (4000, 1):
        sink = SortedSink(tmp_path / f"{streams}", SCHEMA)
        sink.write(table([(number % streams, number << 50) for number in range(4000)]))
        sink.close()
        with Storage(str(tmp_path)).open(f"{streams}") as source:
            sizes.append(len(exchange.read_index(Storage(str(tmp_path)), f"{streams}", source)))
    assert sizes[0] == sizes[1] < 4


def test_too_many_streams_are_refused(tmp_path: Path) -> None:
    sink = SortedSink(tmp_path / "x", SCHEMA)
    with pytest.raises(StorageError, match="more than 32,768 streams: declare fewer"):
        sink.write(table([(1 << 15, 3)]))
