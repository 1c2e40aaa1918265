from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.storage import Storage, StorageError

SCHEMA = pa.schema([pa.field("key", pa.uint64()), pa.field("row", pa.uint32()), pa.field("text", pa.string())])
KEYS = st.lists(st.integers(0, 2**64 - 1), max_size=50)


@settings(max_examples=50, deadline=None)
@given(parts=st.lists(KEYS, max_size=4), partitions=st.integers(1, 9))
def test_every_row_arrives_once_in_its_partition(parts: list[list[int]], partitions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        paths = []
        for number, keys in enumerate(parts):
            key = np.array(keys, np.uint64)
            table = pa.table([key, np.arange(len(keys), dtype=np.uint32), [f"{k}" for k in keys]], schema=SCHEMA)
            output = exchange.write(storage, f"{number}.arrow", table, exchange.partition_of(key, partitions))
            assert output.rows == len(keys)
            paths.append(output.path)
        seen = []
        for partition in range(partitions):
            table, part = exchange.read_parts(storage, paths, partition, SCHEMA)
            key = table.column("key").to_numpy()
            assert set(exchange.partition_of(key, partitions)) <= {partition}
            assert np.all(np.diff(part.astype(np.int64)) >= 0)
            seen += list(zip(part.tolist(), table.column("row").to_pylist(), key.tolist(), strict=True))
        assert sorted(seen) == [(p, row, key) for p, keys in enumerate(parts) for row, key in enumerate(keys)]


def test_runs_are_cut_and_each_partition_keeps_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "RUN_BYTES", 400)
    sink = exchange.PartitionedSink(tmp_path / "x", SCHEMA)
    partition = np.array([0, 3] * 5, np.int64)
    for start in range(0, 100, 10):
        rows = np.arange(start, start + 10, dtype=np.uint32)
        sink.write(pa.table([rows.astype(np.uint64), rows, [str(r) for r in rows]], schema=SCHEMA), partition)
    sink.close()
    storage = Storage(str(tmp_path))
    found = {p: list(exchange.read(storage, "x", p, SCHEMA)) for p in range(5)}
    assert len(found[0]) > 1 and found[1] == found[2] == found[4] == []
    for p, parity in ((0, 0), (3, 1)):
        assert [row for batch in found[p] for row in batch.column("row").to_pylist()] == list(range(parity, 100, 2))


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(KEYS, max_size=4), partitions=st.integers(1, 9), run_bytes=st.integers(1, 500))
def test_records_are_the_numbers_of_a_partition(parts: list[list[int]], partitions: int, run_bytes: int) -> None:
    layout = pa.schema([pa.field("key", pa.uint64()), pa.field("item", pa.uint64())])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "RUN_BYTES", run_bytes)
        storage = Storage(folder)
        paths = []
        for number, keys in enumerate(parts):
            sink = exchange.PartitionedSink(Path(folder) / str(number), layout)
            for start in range(0, len(keys), 7):
                key = np.array(keys[start : start + 7], np.uint64)
                sink.write(pa.table([key, ~key], schema=layout), exchange.partition_of(key, partitions))
            sink.close()
            paths.append(str(number))
        for partition in range(partitions):
            records = exchange.read_records(storage, paths, partition, layout)
            expected = [key for keys in parts for key in keys if (key >> 32) * partitions >> 32 == partition]
            assert records.tolist() == [[key, 2**64 - 1 - key] for key in expected]


def test_more_partitions_than_16_bits_hold(tmp_path: Path) -> None:
    sink = exchange.PartitionedSink(tmp_path / "x", SCHEMA)
    for partition in (3, 90_000, 65_535, 3):
        rows = np.array([partition], np.uint32)
        sink.write(pa.table([rows.astype(np.uint64), rows, ["a"]], schema=SCHEMA), rows.astype(np.int64))
    sink.close()
    for partition, count in ((3, 2), (65_535, 1), (90_000, 1), (24_464, 0)):
        table, _ = exchange.read_parts(Storage(str(tmp_path)), ["x"], partition, SCHEMA)
        assert table.column("row").to_pylist() == [partition] * count


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something that is no exchange file")
    with pytest.raises(StorageError, match="no exchange file"):
        list(exchange.read(Storage(str(tmp_path)), "x", 0, SCHEMA))


@given(keys=KEYS, partitions=st.integers(1, 1000))
def test_partitions_are_equal_ranges(keys: list[int], partitions: int) -> None:
    found = exchange.partition_of(np.array(keys, np.uint64), partitions).tolist()
    assert found == [(key >> 32) * partitions >> 32 for key in keys]
    assert all(0 <= partition < partitions for partition in found)


@given(part=st.integers(0, 2**31 - 1), rows=st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_nodes_split_into_what_they_were_made_of(part: int, rows: list[int]) -> None:
    nodes = exchange.node(part, np.array(rows, np.uint64))
    parts, back = exchange.split_node(nodes)
    assert parts.tolist() == [part] * len(rows)
    assert back.tolist() == rows
