"""The only shuffle: each map task leaves its rows grouped by partition in one file, each reduce task reads its slices.

A file holds runs. A run is what fits in memory (`RUN_BYTES`), sorted by partition and written as one Arrow message per
partition that has rows in it; an index at the end of the file says where each lies. So a writer's memory does not grow
with its input, an empty slice costs nothing, and a reader fetches its slices and nothing else, on disk or on S3.

The reader adds `part`, the ordinal of the file that rows came from: a map task need not know it, and its output stays
valid when other inputs come or go.

    file = message* index count magic      index: (partition, offset, length) int64 per message; count: int64
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.storage import Output, Storage, StorageError, digest_file

RUN_BYTES = 64 << 20
MAGIC = b"LAUTERX1"
ALIGNMENT = 64
"""Arrow's own: a memory-mapped message needs no copy."""
TAIL_BYTES = 8 + len(MAGIC)


def partition_of(key: NDArray[np.uint64], partitions: int) -> NDArray[np.int64]:
    """The partition of each 64-bit hash key: equal ranges of the key space, by its high 32 bits."""
    return cast("NDArray[np.int64]", ((key >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64))


class PartitionedSink:
    """Writes rows of one schema, grouped by partition, in the order they have within each.

    Holds a run, twice while it is put together, and 12 bytes a row; and 24 bytes a message for the index.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._file = path.open("wb")
        self._schema = schema
        self._index = array("q")
        self._tables: list[pa.Table] = []
        self._partitions: list[NDArray[np.uint16] | NDArray[np.uint32]] = []
        self._pending_bytes = 0

    def write(self, table: pa.Table, partition: NDArray[np.int64]) -> None:
        """Add rows, with the partition of each."""
        if table.num_rows:
            self.rows += table.num_rows
            self._tables.append(table)
            # 16 bits are sorted by radix, and 90,000 parts need more.
            narrow = int(partition.max()) < 1 << 16
            self._partitions.append(partition.astype(np.uint16) if narrow else partition.astype(np.uint32))
            self._pending_bytes += table.nbytes
            if self._pending_bytes >= RUN_BYTES:
                self._flush()

    def _flush(self) -> None:
        if not self._tables:
            return
        rows = pa.concat_tables(self._tables).combine_chunks()
        partition: NDArray[Any] = np.concatenate(self._partitions)
        self._tables, self._partitions, self._pending_bytes = [], [], 0
        order = np.argsort(partition, kind="stable")
        partition = partition[order]
        borders = [0, *(np.flatnonzero(partition[1:] != partition[:-1]) + 1).tolist(), len(order)]
        for start, end in itertools.pairwise(borders):
            message = one_batch(rows.take(pa.array(order[start:end]))).serialize()
            self._file.write(bytes(-self._file.tell() % ALIGNMENT))
            self._index.extend((int(partition[start]), self._file.tell(), message.size))
            self._file.write(message)

    def close(self) -> None:
        """Write what is pending and the index."""
        self._flush()
        write_index(self._file, self._index)
        self._file.close()


def write(storage: Storage, path: str, table: pa.Table, partition: NDArray[np.int64]) -> Output:
    """Publish one table grouped by partition."""
    with storage.staging(path) as staged:
        sink = PartitionedSink(staged, table.schema)
        sink.write(table, partition)
        sink.close()
        return describe(staged, path, sink.rows)


def describe(staged: Path, path: str, rows: int) -> Output:
    """Size and digest of a finished file."""
    return Output(path, staged.stat().st_size, digest_file(staged), rows)


def read(
    storage: Storage, path: str, partition: int, schema: pa.Schema, end: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of one partition of one file, or of partitions [partition, end), in the order they were written."""
    with storage.open(path) as source:
        index = read_index(storage, path, source)
        stop = partition + 1 if end is None else end
        for _, offset, length in index[(index[:, 0] >= partition) & (index[:, 0] < stop)].tolist():
            source.seek(offset)
            yield pa.ipc.read_record_batch(source.read_buffer(length), schema)


def messages(storage: Storage, path: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Every message of a file, in the order of its index."""
    for _, batch in parted_messages(storage, path, schema):
        yield batch


def parted_messages(storage: Storage, path: str, schema: pa.Schema) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(partition, rows) of every message of a file, in the order of its index."""
    with storage.open(path) as source:
        for partition, offset, length in read_index(storage, path, source).tolist():
            source.seek(offset)
            yield partition, pa.ipc.read_record_batch(source.read_buffer(length), schema)


def write_index(file: BinaryIO, index: Sequence[int]) -> None:
    """End a file with its index: partition, offset and length of each message, one after the other."""
    file.write(bytes(-file.tell() % ALIGNMENT))
    file.write(np.array(index, "<i8").tobytes())
    file.write((len(index) // 3).to_bytes(8, "little") + MAGIC)


def read_index(storage: Storage, path: str, source: pa.NativeFile) -> NDArray[np.int64]:
    """(partition, offset, length) of every message of an open file, shape (n, 3).

    Raises `StorageError` where it is no exchange file.
    """
    size = source.size()
    source.seek(size - TAIL_BYTES)
    tail = source.read(TAIL_BYTES)
    if tail[8:] != MAGIC:
        raise StorageError(f"{storage.root}/{path} is no exchange file; delete it and build again")
    count = int.from_bytes(tail[:8], "little")
    source.seek(size - TAIL_BYTES - 24 * count)
    index: NDArray[np.int64] = np.frombuffer(source.read(24 * count), "<i8").reshape(-1, 3)
    return index


def read_parts(
    storage: Storage, paths: Sequence[str], partition: int, schema: pa.Schema, end: int | None = None
) -> tuple[pa.Table, NDArray[np.uint64]]:
    """One partition (or [partition, end)) of every file as a table, with the part ordinal of every row (uint64)."""
    batches, parts = [], [np.empty(0, np.uint64)]
    for part, path in enumerate(paths):
        for batch in read(storage, path, partition, schema, end):
            batches.append(batch)
            parts.append(np.full(batch.num_rows, part, np.uint64))
    return pa.Table.from_batches(batches, schema), np.concatenate(parts)


def read_records(storage: Storage, paths: Sequence[str], partition: int, schema: pa.Schema) -> NDArray[np.uint64]:
    """One partition of every file as numbers, shape (n, columns); for schemas of uint64 columns without nulls.

    Takes the bytes of the partition once, and a message on top: what `sort_records` then sorts where it lies.
    """
    columns = len(schema)
    slices = [(path, _places(storage, path, partition)) for path in paths]
    size = sum(length for _, places in slices for _, length in places)
    # A message is longer than its numbers, so this is enough; pages that are not written are not there.
    records = np.empty((size // (8 * columns), columns), np.uint64)
    rows = 0
    for path, places in slices:
        if not places:
            continue
        with storage.open(path) as source:
            for offset, length in places:
                source.seek(offset)
                batch = pa.ipc.read_record_batch(source.read_buffer(length), schema)
                for column in range(columns):
                    records[rows : rows + batch.num_rows, column] = batch.column(column).to_numpy()
                rows += batch.num_rows
    return records[:rows]


def _places(storage: Storage, path: str, partition: int) -> list[tuple[int, int]]:
    with storage.open(path) as source:
        index = read_index(storage, path, source)
        return [(offset, length) for _, offset, length in index[index[:, 0] == partition].tolist()]


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table's rows as exactly one record batch."""
    return pa.RecordBatch.from_arrays([one_chunk(column) for column in table.columns], schema=table.schema)


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A column as exactly one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.chunks else pa.array([], column.type)


NODE_ROW_BITS = 32


def node(part: NDArray[np.uint64] | int, row: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A record's place in the run as one number: part ordinal in the high, record row in the low 32 bits."""
    return (np.uint64(part) if isinstance(part, int) else part) << np.uint64(NODE_ROW_BITS) | row


def split_node(nodes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """(part, row) of nodes."""
    return (nodes >> np.uint64(NODE_ROW_BITS)).astype(np.int64), (nodes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
