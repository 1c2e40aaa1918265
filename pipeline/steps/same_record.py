"""Step `same`: the same doc_id met twice. One task a range of ids; the first record in run order stands.

A task holds the ids of its range, 16 bytes each, and sorts them where they lie: 120 MB where 4,096 ranges share 30
billion records. Only where an id comes again are the files read once more, for the records that have one of these: 60
bytes for each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.kernel import kernel
from lauter.pipeline.record_sort import sort_records
from lauter.pipeline.sorted_runs import read_range
from lauter.pipeline.steps.layouts import IDENTITY, ROWS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

FIRST_IDS = 1 << 16
"""Room for ids at first; it doubles, and pages that are not written are not there."""


def run(task: Task, storage: Storage) -> Result:
    """Find every later record of an id; publish its row, partitioned by part."""
    partition = task.args["partition"]
    nodes = _again(task, storage)
    parts, rows = exchange.split_node(nodes)
    output = exchange.write(
        storage,
        f"state/same/{partition:05d}.arrow",
        pa.Table.from_arrays([pa.array(rows)], schema=ROWS),
        parts,
    )
    return Result((output,), {"same_record": len(nodes)})


def _again(task: Task, storage: Storage) -> NDArray[np.uint64]:
    """The nodes of records whose id stood before, in the order of ids and then of the run."""
    ids = np.empty((FIRST_IDS, 2), np.uint64)
    count = 0
    for _, batch in _batches(task, storage):
        while count + batch.num_rows > len(ids):
            # Where it lies: a large array is moved by the system, not copied.
            ids.resize((2 * len(ids), 2), refcheck=False)
        for column, name in enumerate(("order", "low")):
            ids[count : count + batch.num_rows, column] = batch.column(name).to_numpy()
        count += batch.num_rows
    ids = ids[:count]
    sort_records(ids)
    # Of ids that come again the high half is enough: what it lets through too much is told apart below.
    wanted = ids[: repeated(ids), 0].copy()
    del ids
    if not len(wanted):
        return np.empty(0, np.uint64)
    found: list[NDArray[np.uint64]] = []
    for part, batch in _batches(task, storage):
        high = batch.column("order").to_numpy()
        place = np.minimum(np.searchsorted(wanted, high), len(wanted) - 1)
        of = np.flatnonzero(wanted[place] == high)
        row = batch.column("row").to_numpy()[of].astype(np.uint64)
        found.append(np.stack([high[of], batch.column("low").to_numpy()[of], exchange.node(part, row)]))
    high, low, node = np.concatenate(found, axis=1)
    order = np.lexsort((node, low, high))
    high, low, node = high[order], low[order], node[order]
    again: NDArray[np.uint64] = node[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    return again


def _batches(task: Task, storage: Storage) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(part, its records in the range of ids), in the order of the parts."""
    number, of = task.args["partition"], task.args["partitions"]
    for part, output in enumerate(listing(storage, task.args["listing"])):
        for batch in read_range(storage, output.path, 0, (number, number + 1), of, IDENTITY):
            yield part, batch


@kernel
def repeated(ids: NDArray[np.uint64]) -> int:
    """Move each of the sorted ids (n, 2) that stands more than once to the front, once; returns how many."""
    count = 0
    start = 0
    for end in range(1, ids.shape[0] + 1):
        if end < ids.shape[0] and ids[end, 0] == ids[start, 0] and ids[end, 1] == ids[start, 1]:
            continue
        if end - start > 1:
            high = ids[start, 0]
            low = ids[start, 1]
            ids[count, 0] = high
            ids[count, 1] = low
            count += 1
        start = end
    return count
