"""Steps `left` and `judge`: the sketches of a pair come together, first at the range of one item, then of the other.

What a task holds is the pairs of its range (16 bytes each), or the sketches of the items that end a pair in it; files
are read a message at a time. The steps run in rounds of the same shape (`graph.joining`): `name` is the round's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.comparing import OPEN, YES, BarrierStage
from lauter.pipeline.components import distinct, write_edges
from lauter.pipeline.fixed_width import matrix, row_width, unpacked
from lauter.pipeline.steps.isolate import StageError
from lauter.pipeline.steps.joining.ranges import find, runs_of, starts_of, unique_pairs
from lauter.pipeline.steps.joining.stage import stage_of
from lauter.pipeline.steps.layouts import HALF, ITEMS, PAIRS, WANTED
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

CHUNK_PAIRS = 1 << 16
"""Pairs that are joined and judged at a time: 8 MB of sketches a side."""


def left(task: Task, storage: Storage) -> Result:
    """Each pair of one range of smaller items with the sketch of that item, by the other item."""
    args = task.args
    paths = [output.path for output in listing(storage, args["pairs"])]
    pairs = unique_pairs(exchange.read_records(storage, paths, args["partition"], PAIRS))
    starts = starts_of(pairs[:, 0])
    items = pairs[starts[:-1], 0]
    path = f"state/{args['name']}half/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, HALF)
        for part, batch, rows, place in first_documents(task, storage, items):
            for start in range(0, len(rows), CHUNK_PAIRS):
                some = slice(start, start + CHUNK_PAIRS)
                _write_half(sink, part, batch, rows[some], runs_of(starts, place[some]), pairs, args["partitions"])
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    if output.rows != len(pairs):
        raise RuntimeError(f"{task.name}: {len(pairs)} pairs, of which {output.rows} have signatures; please report")
    return Result((output,), {"pairs": len(pairs)})


def first_documents(
    task: Task, storage: Storage, items: NDArray[np.uint64]
) -> Iterator[tuple[int, pa.RecordBatch, NDArray[np.int64], NDArray[np.int64]]]:
    """(part, batch of `ITEMS`, rows of it, place of each row's item in `items`): the first document of each item.

    `items` are sorted, none twice, and of the task's range; `items` of the task's arguments lists the files.
    """
    seen = np.zeros(len(items), np.bool_)
    for part, output in enumerate(listing(storage, task.args["items"]) if len(items) else ()):
        for batch in exchange.read(storage, output.path, task.args["partition"], ITEMS):
            place, there = find(items, batch.column("item").to_numpy())
            rows = np.flatnonzero(there & ~seen[place])
            found, first = np.unique(place[rows], return_index=True)
            seen[found] = True
            if len(found):
                yield part, batch, rows[first], found


def _write_half(
    sink: exchange.PartitionedSink,
    part: int,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    pairs: NDArray[np.uint64],
    partitions: int,
) -> None:
    item = batch.column("item").to_numpy()[rows]
    order = np.argsort(item)
    for start in range(0, len(places), CHUNK_PAIRS):
        some = pairs[places[start : start + CHUNK_PAIRS]]
        own = pa.array(rows[order[np.searchsorted(item[order], some[:, 0])]])
        columns = [
            pa.array(np.ascontiguousarray(some[:, 0])),
            pa.array(np.ascontiguousarray(some[:, 1])),
            pa.array(np.full(len(some), part, np.uint32)),
            batch.column("row").take(own),
            batch.column("sketch").take(own),
        ]
        right = some[:, 1]
        sink.write(pa.Table.from_arrays(columns, schema=HALF), exchange.partition_of(right, partitions))


def judge(task: Task, storage: Storage) -> Result:
    """Edges between items whose sketches are enough, and which documents the others are to be read from."""
    args = task.args
    paths = [output.path for output in listing(storage, args["half"])]
    partition, partitions = args["partition"], args["partitions"]
    rights = distinct(
        batch.column("right").to_numpy() for path in paths for batch in exchange.read(storage, path, partition, HALF)
    )
    path = f"state/{args['name']}wanted/{partition:05d}.arrow"
    counts = {"pairs": 0, "edges": 0, "open": 0}
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, WANTED)
        found = _judged(task, storage, paths, rights, sink, counts) if len(rights) else ()
        edges = write_edges(storage, f"{args['name']}judge/{partition:05d}", found, partitions)
        sink.close()
        wanted = exchange.describe(staged, path, sink.rows)
    return Result((wanted, *edges), counts)


def _judged(
    task: Task,
    storage: Storage,
    paths: list[str],
    rights: NDArray[np.uint64],
    sink: exchange.PartitionedSink,
    counts: dict[str, int],
) -> Iterator[NDArray[np.uint64]]:
    stage = stage_of(task)
    width = row_width(stage.sketches)
    held = np.empty((len(rights), width), np.uint8)
    at = np.empty((len(rights), 2), np.uint32)
    for part, batch, rows, place in first_documents(task, storage, rights):
        held[place] = matrix(batch.column("sketch").take(pa.array(rows)), width)
        at[place, 0], at[place, 1] = part, batch.column("row").to_numpy()[rows]
    for path in paths:
        for message in exchange.read(storage, path, task.args["partition"], HALF):
            for start in range(0, message.num_rows, CHUNK_PAIRS):
                half = message.slice(start, CHUNK_PAIRS)
                pairs = np.column_stack([half.column("left").to_numpy(), half.column("right").to_numpy()])
                place = np.searchsorted(rights, pairs[:, 1])
                said = verdicts(stage, matrix(half.column("sketch"), width), held[place])
                counts["pairs"] += len(pairs)
                counts["edges"] += int((said == YES).sum())
                counts["open"] += int((said == OPEN).sum())
                _want(sink, half, pairs, at[place], said == OPEN)
                yield pairs[said == YES]


def verdicts(stage: BarrierStage, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`stage.judge` of packed sketches; raises `StageError` for another answer than one a pair."""
    said = stage.judge(unpacked(left, stage.sketches), unpacked(right, stage.sketches))
    if said.shape != (len(left),):
        raise StageError(f"stage {stage.name}: judge gave {said.shape} answers for {len(left)} pairs")
    return said


def _want(
    sink: exchange.PartitionedSink,
    half: pa.RecordBatch,
    pairs: NDArray[np.uint64],
    right_at: NDArray[np.uint32],
    still_open: NDArray[np.bool_],
) -> None:
    chosen, sides = pairs[still_open], pa.array(still_open)
    left_at = np.column_stack([half.column(name).filter(sides).to_numpy() for name in ("part", "row")])
    for side, at in enumerate((left_at, right_at[still_open])):
        columns = [
            pa.array(np.ascontiguousarray(chosen[:, 0])),
            pa.array(np.ascontiguousarray(chosen[:, 1])),
            pa.array(np.full(len(chosen), side, np.uint8)),
            pa.array(np.ascontiguousarray(at[:, 1])),
        ]
        sink.write(pa.Table.from_arrays(columns, schema=WANTED), at[:, 0].astype(np.int64))
