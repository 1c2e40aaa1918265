"""Steps `nodes`, `number-left`, `number-right`, `unite`, `roots`, `labels`: edges become components.

A task per range, but for `unite`, which holds the parent of every node and nothing else (`components.py`). What they
leave is in `state/labels/`, by the range of the item.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import EDGES, ENDS, LABELS, Numbering, distinct
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.union_find import NARROW_NODES, Numbers, as_forest, flatten, forest, roots, unite
from lauter.pipeline.worker import listing

HALF = pa.schema([pa.field("left", pa.uint64(), nullable=False), pa.field("right", pa.uint64(), nullable=False)])
"""The number of an edge's left item and its right item, by the range of the right one."""

ROOTS = pa.schema([pa.field("item", pa.uint64(), nullable=False), pa.field("root", pa.uint64(), nullable=False)])
"""An item and the number of its root, by the range of the root."""

CHUNK_BYTES = 32 << 20
"""What is mapped of a file of numbers at a time."""

PARENTS = "state/forest/parents.bin"


def nodes(task: Task, storage: Storage) -> Result:
    """The items of one range that have an edge, sorted: little-endian uint64."""
    partition = task.args["partition"]
    found = distinct(_ends(task, storage))
    path = f"state/nodes/{partition:05d}.bin"
    with storage.staging(path) as staged:
        found.astype("<u8", copy=False).tofile(staged)
        output = exchange.describe(staged, path, found.size)
    return Result((output,), {"nodes": found.size})


def _ends(task: Task, storage: Storage) -> Iterator[NDArray[np.uint64]]:
    for name, layout in (("edges", EDGES), ("ends", ENDS)):
        for batch in _batches(task, storage, name, layout):
            yield batch.column(0).to_numpy()


def number_left(task: Task, storage: Storage) -> Result:
    """The left items of one range become numbers; edges go to the range of the right one."""
    partition = task.args["partition"]
    numbering = _numbering(task, storage)
    path = f"state/halves/{partition:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, HALF)
        for batch in _batches(task, storage, "edges", EDGES):
            right = batch.column(1)
            number = numbering.of(batch.column(0).to_numpy())
            table = pa.Table.from_arrays([pa.array(number), right], schema=HALF)
            sink.write(table, exchange.partition_of(right.to_numpy(), task.args["partitions"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),))


def number_right(task: Task, storage: Storage) -> Result:
    """The right items of one range become numbers: pairs of little-endian uint32, uint64 above 2**32 nodes."""
    partition = task.args["partition"]
    numbering = _numbering(task, storage)
    kind = _number_type(_sizes(task, storage).sum())
    path = f"state/numbered/{partition:05d}.bin"
    rows = 0
    with storage.staging(path) as staged, staged.open("wb") as out:
        for batch in _batches(task, storage, "halves", HALF):
            pairs = np.empty((batch.num_rows, 2), kind)
            pairs[:, 0] = batch.column(0).to_numpy()
            pairs[:, 1] = numbering.of(batch.column(1).to_numpy())
            out.write(pairs.data)
            rows += batch.num_rows
        out.flush()
        output = exchange.describe(staged, path, rows)
    return Result((output,))


def join(task: Task, storage: Storage) -> Result:
    """All edges into one union-find; every node's root, 4 or 5 bytes each."""
    count = int(_sizes(task, storage).sum())
    kind = _number_type(count)
    parent = forest(count, NARROW_NODES)
    joined = edges = 0
    for output in listing(storage, task.args["numbered"]):
        edges += output.rows
        for chunk in _slices(storage, output):
            joined += unite(parent, cast("Numbers", np.frombuffer(chunk, kind).reshape(-1, 2)))
    flatten(parent)
    with storage.staging(PARENTS) as staged:
        parent.tofile(staged)
        output = exchange.describe(staged, PARENTS, count)
    return Result((output,), {"nodes": count, "edges": edges, "components": count - joined})


def find_roots(task: Task, storage: Storage) -> Result:
    """The items of one range with the numbers of their roots, to the ranges of these."""
    partition = task.args["partition"]
    sizes = _sizes(task, storage)
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    first, count = int(firsts[partition]), int(sizes[partition])
    (parents,) = listing(storage, task.args["forest"])
    width = parents.size // max(1, int(firsts[-1]))
    path = f"state/roots/{partition:05d}.arrow"
    items = _items(task, storage)
    with storage.open(parents.path) as source:
        source.seek(first * width)
        root = np.empty(count, np.uint64)
        roots(as_forest(source.read_buffer(count * width), count), root)
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, ROOTS)
        for start in range(0, count, CHUNK_BYTES // 16):
            some = root[start : start + CHUNK_BYTES // 16]
            table = pa.table([items[start : start + CHUNK_BYTES // 16], some], schema=ROOTS)
            sink.write(table, np.searchsorted(firsts, some.astype(np.int64), "right") - 1)
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),))


def label(task: Task, storage: Storage) -> Result:
    """The roots of one range become items; labels go to the range of the item."""
    partition = task.args["partition"]
    first = np.uint64(_sizes(task, storage)[:partition].sum())
    items = _items(task, storage)
    path = f"state/labels/{partition:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, LABELS)
        for batch in _batches(task, storage, "roots", ROOTS):
            cluster = items[(batch.column(1).to_numpy() - first).astype(np.int64)]
            table = pa.Table.from_arrays([batch.column(0), pa.array(cluster)], schema=LABELS)
            sink.write(table, exchange.partition_of(batch.column(0).to_numpy(), task.args["partitions"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),))


def _batches(task: Task, storage: Storage, name: str, layout: pa.Schema) -> Iterator[pa.RecordBatch]:
    for output in listing(storage, task.args[name]):
        yield from exchange.read(storage, output.path, task.args["partition"], layout)


def _slices(storage: Storage, output: Output) -> Iterator[pa.Buffer]:
    for start in range(0, output.size, CHUNK_BYTES):
        # Opened for each: pages of a mapped file are the process's until it is closed.
        with storage.open(output.path) as source:
            source.seek(start)
            yield source.read_buffer(min(CHUNK_BYTES, output.size - start))


def _sizes(task: Task, storage: Storage) -> NDArray[np.int64]:
    return np.array([output.rows for output in listing(storage, task.args["nodes"])], np.int64)


def _items(task: Task, storage: Storage) -> NDArray[np.uint64]:
    output = listing(storage, task.args["nodes"])[task.args["partition"]]
    with storage.open(output.path) as source:
        return np.frombuffer(source.read_buffer(output.size), "<u8")


def _numbering(task: Task, storage: Storage) -> Numbering:
    first = int(_sizes(task, storage)[: task.args["partition"]].sum())
    return Numbering(_items(task, storage), first)


def _number_type(count: int) -> type[np.uint32] | type[np.uint64]:
    return np.uint32 if count <= NARROW_NODES else np.uint64
