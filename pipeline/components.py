"""Connected components of edges that lie on disk, by ranges of the items that they join.

An item is a 64-bit hash. The items of a range that have an edge, sorted, give each its number: how many lie in the
ranges before, and its rank among them. Edges change their items for these numbers end by end, each where the items of
its range are; the numbers go through one union-find (`union_find.py`), which is all that is ever held of the whole: 4
bytes a node, 5 above 2**32 of them. A node's root then finds its way back to its item in the same two steps.

So what is held besides is the items of one range, 8 bytes each. Edges are streamed. An edge takes 24 bytes on disk as
it is found (`write_edges`), 16 when one end has its number, 8 when both have (16 above 2**32 nodes).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.kernel import kernel
from lauter.pipeline.storage import Output, Storage

EDGES = pa.schema([pa.field("left", pa.uint64(), nullable=False), pa.field("right", pa.uint64(), nullable=False)])
"""Two items that belong together, the smaller one left; by the range of the left one."""

ENDS = pa.schema([pa.field("item", pa.uint64(), nullable=False)])
"""The right ends of the same edges, by their range."""

LABELS = pa.schema([pa.field("item", pa.uint64(), nullable=False), pa.field("cluster", pa.uint64(), nullable=False)])
"""An item that has an edge, and the smallest item of its component; by the range of the item."""

PENDING_ITEMS = 1 << 22
"""Items that are held before repeated ones are dropped: 32 MB."""


def write_edges(
    storage: Storage, name: str, edges: Iterable[NDArray[np.uint64]], partitions: int
) -> tuple[Output, Output]:
    """Publish edges, each array of shape (m, 2), as `state/edges/NAME.arrow` and `state/ends/NAME.arrow`.

    Raises `ValueError` for an edge whose first item is not the smaller one.
    """
    paths = (f"state/edges/{name}.arrow", f"state/ends/{name}.arrow")
    with ExitStack() as stack:
        staged = [stack.enter_context(storage.staging(path)) for path in paths]
        sinks = [exchange.PartitionedSink(file, layout) for file, layout in zip(staged, (EDGES, ENDS), strict=True)]
        for found in edges:
            left, right = np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])
            if not bool((left < right).all()):
                raise ValueError(f"{name}: the first item of an edge must be the smaller one")
            sinks[0].write(pa.table([left, right], schema=EDGES), exchange.partition_of(left, partitions))
            sinks[1].write(pa.table([right], schema=ENDS), exchange.partition_of(right, partitions))
        for sink in sinks:
            sink.close()
        described = [
            exchange.describe(file, path, sink.rows) for file, path, sink in zip(staged, paths, sinks, strict=True)
        ]
    return described[0], described[1]


def distinct(items: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Every item once, sorted, shape (n,). Holds at most twice the result, 32 MB, and what sorting them takes."""
    held: NDArray[np.uint64] = np.empty(0, np.uint64)
    pending: list[NDArray[np.uint64]] = []
    count = 0
    for some in items:
        pending.append(some)
        count += some.size
        if count >= max(PENDING_ITEMS, held.size):
            held = _sorted_once(np.concatenate([held, *pending]))
            pending.clear()
            count = 0
    return _sorted_once(np.concatenate([held, *pending]))


def _sorted_once(items: NDArray[np.uint64]) -> NDArray[np.uint64]:
    items.sort()
    return items[: _drop_repeated(items)].copy()


@kernel
def _drop_repeated(items: NDArray[np.uint64]) -> int:
    count = 0
    for index in range(items.size):
        if not count or items[index] != items[count - 1]:
            items[count] = items[index]
            count += 1
    return count


class Numbering:
    """The numbers of one range's items: `first` plus their rank.

    A table of where the items with the same high bits begin leads to an item with one look at the table and a few at
    its neighbours, as hashes are spread evenly: 4 bytes for 2 to 4 items. Where they are not, halving finds it.
    """

    def __init__(self, items: NDArray[np.uint64], first: int) -> None:
        """`items`: sorted, none twice; `first`: how many items the ranges before have together."""
        self._items, self._first = items, first
        span = int(items[-1]) - int(items[0]) if items.size else 0
        self._shift = max(0, span.bit_length() - max(1, (items.size >> 2).bit_length()))
        buckets = (span >> self._shift) + 1
        self._starts: NDArray[np.uint32] | NDArray[np.int64] = np.empty(buckets + 1, np.uint32)
        if items.size >= 1 << 32:
            self._starts = np.empty(buckets + 1, np.int64)
        _fill_starts(items, self._shift, self._starts)

    def of(self, wanted: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The number of each item, uint64, shape (n,); raises `KeyError` for one that is not in the range."""
        numbers = np.empty(wanted.size, np.uint64)
        missing = _look_up(self._items, self._shift, self._starts, wanted, self._first, numbers)
        if missing >= 0:
            raise KeyError(f"item {int(wanted[missing])} has an edge and no number")
        return numbers


@kernel
def _fill_starts(items: NDArray[np.uint64], shift: int, starts: NDArray[np.uint32] | NDArray[np.int64]) -> None:
    # starts[b]: how many items lie in buckets before b.
    bucket = 0
    for index in range(items.size):
        own = np.int64((items[index] - items[0]) >> np.uint64(shift))
        while bucket <= own:
            starts[bucket] = index
            bucket += 1
    for rest in range(bucket, starts.size):
        starts[rest] = items.size


@kernel
def _look_up(
    items: NDArray[np.uint64],
    shift: int,
    starts: NDArray[np.uint32] | NDArray[np.int64],
    wanted: NDArray[np.uint64],
    first: int,
    numbers: NDArray[np.uint64],
) -> int:
    # The index of a wanted item that is not there, -1 where all are.
    for index in range(wanted.size):
        item = wanted[index]
        if not items.size or item < items[0] or item > items[-1]:
            return index
        bucket = np.int64((item - items[0]) >> np.uint64(shift))
        low = np.int64(starts[bucket])
        high = np.int64(starts[bucket + 1])
        while low < high:
            middle = (low + high) >> 1
            if items[middle] < item:
                low = middle + 1
            else:
                high = middle
        if items[low] != item:
            return index
        numbers[index] = np.uint64(first + low)
    return -1
