"""The only shuffle: each map task writes its rows sorted by partition into one file, each reduce task reads its slice.

A file is Arrow IPC with exactly one record batch per partition (maybe empty), so that a slice is found by its index
and read without the rest. The reader adds `part`, the ordinal of the file it came from: a map task needs not know it,
and its output stays valid when other inputs come or go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.storage import Output, Storage, digest_file


def partition_of(key: NDArray[np.uint64], partitions: int) -> NDArray[np.int64]:
    """The partition of each 64-bit hash key: equal ranges of the key space, by its high 32 bits."""
    return cast("NDArray[np.int64]", ((key >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64))


def write(storage: Storage, path: str, table: pa.Table, partition: NDArray[np.int64], partitions: int) -> Output:
    """Publish rows grouped by partition, in the order they have within each."""
    order = np.argsort(partition, kind="stable")
    bounds = np.searchsorted(partition[order], np.arange(partitions + 1))
    ordered = table.take(pa.array(order)).combine_chunks()
    with storage.staging(path) as staged:
        with pa.ipc.new_file(str(staged), table.schema) as writer:
            for index in range(partitions):
                start, end = int(bounds[index]), int(bounds[index + 1])
                writer.write_batch(one_batch(ordered.slice(start, end - start)))
        return Output(path, staged.stat().st_size, digest_file(staged), table.num_rows)


def read(storage: Storage, paths: Sequence[str], partition: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(part, rows) of one partition from every file that has rows in it, in the order of the files."""
    for part, path in enumerate(paths):
        with storage.open(path) as source:
            batch = pa.ipc.open_file(source).get_batch(partition)
            if batch.num_rows:
                yield part, batch


def read_parts(
    storage: Storage, paths: Sequence[str], partition: int, schema: pa.Schema
) -> tuple[pa.Table, NDArray[np.uint64]]:
    """One partition as a table, with the part ordinal of every row (uint64)."""
    found = list(read(storage, paths, partition))
    table = pa.Table.from_batches([batch for _, batch in found], schema)
    part = np.concatenate(
        [np.full(batch.num_rows, part, np.uint64) for part, batch in found] or [np.empty(0, np.uint64)]
    )
    return table, part


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table's rows as exactly one record batch."""
    return pa.RecordBatch.from_arrays(
        [
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
            for column in table.columns
        ],
        schema=table.schema,
    )


NODE_ROW_BITS = 32


def node(part: NDArray[np.uint64] | int, row: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A record's place in the run as one number: part ordinal in the high, record row in the low 32 bits."""
    return (np.uint64(part) if isinstance(part, int) else part) << np.uint64(NODE_ROW_BITS) | row


def split_node(nodes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """(part, row) of nodes."""
    return (nodes >> np.uint64(NODE_ROW_BITS)).astype(np.int64), (nodes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
