"""Step `meet`: equal keys of one range come together.

Items that share an identity key are copies: they become edges. Which of those that share another key are compared is
said by the barrier stage.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.comparing import BarrierStage
from lauter.pipeline.components import write_edges
from lauter.pipeline.steps.joining.ranges import starts_of, unique_pairs
from lauter.pipeline.steps.joining.sign import IDENTITY_BIT
from lauter.pipeline.steps.joining.stage import stage_of
from lauter.pipeline.steps.layouts import KEYS, PAIRS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

LARGE = 10_000
"""Items of a bucket above which it is reported: a key of boilerplate, more often than so many near copies."""

CROSSED = 64
"""Items of an identity up to which each is joined with each, 2,016 pairs, where there are no components."""

CHUNK_ROWS = 1 << 20
"""Rows of keys that the stage is given at a time; one bucket is never cut."""


def run(task: Task, storage: Storage) -> Result:
    """Pairs to be compared, by their smaller item, and edges between items that share an identity."""
    args = task.args
    paths = [output.path for output in listing(storage, args["listing"])]
    records = shared_keys(unique_pairs(exchange.read_records(storage, paths, args["partition"], KEYS)))
    identity = (records[:, 0] & IDENTITY_BIT) != 0
    links = crossed(records[identity]) if args["crossed"] else stars(records[identity])
    edges = write_edges(storage, f"meet/{args['partition']:05d}", links, args["partitions"])
    near = records[~identity]
    path = f"state/pairs/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, PAIRS)
        for pairs in pairs_of(stage_of(task), near) if len(near) else ():
            table = pa.table([pairs[:, 0], pairs[:, 1]], schema=PAIRS)
            sink.write(table, exchange.partition_of(pairs[:, 0], args["partitions"]))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    sizes = np.diff(starts_of(near[:, 0]))
    large = sizes[sizes > LARGE]
    info = {"pairs": output.rows, "large_buckets": len(large), "largest_bucket": int(sizes.max(initial=0))}
    return Result((output, *edges), info)


def shared_keys(records: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The rows of sorted (key, item) whose key two or more items have: most keys are met once, and leave first."""
    same = records[1:, 0] == records[:-1, 0]
    shared = np.zeros(len(records), np.bool_)
    shared[1:] = same
    shared[:-1] |= same
    return records[shared]


def stars(records: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """(smallest item, other item) of every key: a key of a million documents costs a million edges, not 5e11."""
    if not len(records):
        return
    starts = starts_of(records[:, 0])
    smallest = np.repeat(records[starts[:-1], 1], np.diff(starts))
    outer = smallest != records[:, 1]
    for start in range(0, len(records), CHUNK_ROWS):
        some = slice(start, start + CHUNK_ROWS)
        yield np.column_stack([smallest[some][outer[some]], records[some, 1][outer[some]]])


def crossed(records: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """All pairs of items of every key that up to `CROSSED` have; of others the star.

    Where no component is built, what no edge joins is not told of each other: of three pages of one URL the second and
    the third would both stay if the star's middle came last.
    """
    starts = starts_of(records[:, 0])
    few = np.repeat(np.diff(starts) <= CROSSED, np.diff(starts))
    key, item = records[few].T
    for apart in range(1, CROSSED):
        same = key[apart:] == key[:-apart]
        if not same.any():
            break
        yield np.column_stack([item[:-apart][same], item[apart:][same]])
    yield from stars(records[~few])


def pairs_of(stage: BarrierStage, records: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """What the stage wants compared of sorted (key, item), each pair once a chunk."""
    starts = starts_of(records[:, 0])
    first = 0
    while first < len(starts) - 1:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + CHUNK_ROWS, "right")) - 1)
        some = records[starts[first] : starts[last]]
        yield unique_pairs(np.array(stage.pairs(some[:, 0].copy(), some[:, 1].copy()), np.uint64))
        first = last
