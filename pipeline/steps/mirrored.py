"""Steps `mirror-judge` and `mirrored`: which documents are copies of a record that a stage dropped.

mirror-judge (a task per range of documents' items) judges by sketches what has met; mirrored (a task per range of
components) carries it to those documents of the same component whose sketches agree with the record's as well. A pair
that sketches leave open counts as copies: the text of such a record is not read a third time, and where somebody has
reserved a page, the doubt is the page's.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.comparing import NO, BarrierStage
from lauter.pipeline.fixed_width import matrix, row_width
from lauter.pipeline.steps.joining.members import labels
from lauter.pipeline.steps.joining.ranges import find, range_of_component, runs_of, starts_of
from lauter.pipeline.steps.joining.sketches import CHUNK_PAIRS, first_documents, verdicts
from lauter.pipeline.steps.joining.stage import stage_of
from lauter.pipeline.steps.layouts import FOUND, ITEMS, MEMBERS, MIRRORED, TOUCHES
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

CARRIED_RECORDS = 64
"""Records of a stage that the documents of one component are compared with at most, the first in the run: a component
of a million pages that has met as many records would else cost 10^12 looks."""


def judge(task: Task, storage: Storage) -> Result:
    """The documents of one range of items that are copies of a record, by part; and their components, told of it."""
    args = task.args
    stage = stage_of(task)
    found = _agreed(task, storage, stage)
    item = found.column("item").to_numpy()
    starts = starts_of(item)
    copied = item[starts[:-1]]
    labelled, component = labels(task, storage)
    place, there = find(labelled, item)
    where = f"{args['partition']:05d}.arrow"
    carried = found.filter(pa.array(there))
    of = component[place[there]]
    carried = pa.Table.from_arrays([pa.array(of), *carried.select(FOUND.names[1:]).columns], schema=FOUND)
    known = exchange.write(storage, f"state/found/{where}", carried, range_of_component(of, args["partitions"]))
    path = f"state/mirrored/met/{where}"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, MIRRORED)
        for part, output in enumerate(listing(storage, args["items"]) if len(item) else ()):
            for batch in exchange.read(storage, output.path, args["partition"], ITEMS):
                place, there = find(copied, batch.column("item").to_numpy())
                _tell(sink, part, batch.column("row").to_numpy()[there], place[there], starts, found)
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows), known), {"mirrored": sink.rows})


def _agreed(task: Task, storage: Storage, stage: BarrierStage) -> pa.Table:
    """The touches of the range that stand, sorted by the document's item."""
    args = task.args
    paths = [output.path for output in listing(storage, args["touches"])]
    table = exchange.read_parts(storage, paths, args["partition"], TOUCHES)[0]
    order = [(name, "ascending") for name in ("item", "record")]
    table = table.sort_by(order).combine_chunks()
    starts = starts_of(table.column("item").to_numpy())
    items = table.column("item").to_numpy()[starts[:-1]]
    stands = np.zeros(table.num_rows, np.bool_)
    width = row_width(stage.sketches)
    sure = table.column("sure").to_numpy() != 0
    for _, batch, rows, place in first_documents(task, storage, items):
        own = matrix(batch.column("sketch").take(pa.array(rows)), width)
        touches, of = runs_of(starts, place), np.repeat(np.arange(len(rows)), (starts[1:] - starts[:-1])[place])
        for start in range(0, len(touches), CHUNK_PAIRS):
            some = touches[start : start + CHUNK_PAIRS]
            theirs = matrix(exchange.one_chunk(table.column("sketch").take(pa.array(some))), width)
            said = verdicts(stage, own[of[start : start + CHUNK_PAIRS]], theirs)
            stands[some] = sure[some] | (said != NO)
    return table.filter(pa.array(stands)).combine_chunks()


def _tell(
    sink: exchange.PartitionedSink,
    part: int,
    rows: NDArray[np.uint32],
    place: NDArray[np.int64],
    starts: NDArray[np.int64],
    found: pa.Table,
) -> None:
    """Write for documents of a part, whose items are `place` among those that `starts` cuts, what `found` has."""
    if len(rows):
        told = found.take(pa.array(runs_of(starts, place)))
        own = pa.array(np.repeat(rows, (starts[1:] - starts[:-1])[place]))
        columns = [own, *told.select(MIRRORED.names[1:]).columns]
        sink.write(pa.Table.from_arrays(columns, schema=MIRRORED), np.full(len(own), part, np.int64))


def carry(task: Task, storage: Storage) -> Result:
    """The documents of one range of components that agree with a record which another document of theirs has met."""
    args = task.args
    found = _by_component(task, storage)
    component = found.column("component").to_numpy()
    starts = starts_of(component)
    members = _members(task, storage, component[starts[:-1]])
    path = f"state/mirrored/carried/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, MIRRORED)
        if members.num_rows:
            _carry(sink, stage_of(task), members, found, starts)
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"mirrored": sink.rows})


def _by_component(task: Task, storage: Storage) -> pa.Table:
    """What components have met, each record once, and the first few of a stage."""
    paths = [output.path for output in listing(storage, task.args["found"])]
    table = exchange.read_parts(storage, paths, task.args["partition"], FOUND)[0]
    table = table.sort_by([(name, "ascending") for name in ("component", "stage", "record")]).combine_chunks()
    keys = list(zip(*(table.column(name).to_pylist() for name in ("component", "stage", "record")), strict=True))
    chosen, seen = [], 0
    for place, key in enumerate(keys):
        if place and key == keys[place - 1]:
            continue
        seen = seen + 1 if place and key[:2] == keys[place - 1][:2] else 1
        if seen <= CARRIED_RECORDS:
            chosen.append(place)
    return table.take(pa.array(chosen, pa.int64())).combine_chunks()


def _members(task: Task, storage: Storage, components: NDArray[np.uint64]) -> pa.Table:
    """The documents of some components, by item, the one that brings the item's sketch first."""
    tables = [MEMBERS.empty_table()]
    for output in listing(storage, task.args["members"]) if len(components) else ():
        for batch in exchange.read(storage, output.path, task.args["partition"], MEMBERS):
            there = find(components, batch.column("component").to_numpy())[1]
            tables.append(pa.Table.from_batches([batch.filter(pa.array(there))]))
    table = pa.concat_tables(tables)
    later = table.append_column("later", table.column("sketch").is_null())
    return later.sort_by([(name, "ascending") for name in ("item", "later", "part", "row")]).combine_chunks()


def _carry(
    sink: exchange.PartitionedSink,
    stage: BarrierStage,
    members: pa.Table,
    found: pa.Table,
    starts: NDArray[np.int64],
) -> None:
    width = row_width(stage.sketches)
    runs = starts_of(members.column("item").to_numpy())
    heads = members.take(pa.array(runs[:-1])).combine_chunks()
    component = found.column("component").to_numpy()
    place = np.searchsorted(component[starts[:-1]], heads.column("component").to_numpy())
    of, with_record = np.repeat(np.arange(len(place)), (starts[1:] - starts[:-1])[place]), runs_of(starts, place)
    part, row = members.column("part").to_numpy(), members.column("row").to_numpy()
    for start in range(0, len(of), CHUNK_PAIRS):
        some, records = of[start : start + CHUNK_PAIRS], with_record[start : start + CHUNK_PAIRS]
        sides = [_matrix(table, rows, width) for table, rows in ((heads, some), (found, records))]
        agrees = verdicts(stage, sides[0], sides[1]) != NO
        documents = runs_of(runs, some[agrees])
        times = (runs[1:] - runs[:-1])[some[agrees]]
        told = found.take(pa.array(np.repeat(records[agrees], times)))
        columns = [pa.array(row[documents]), *told.select(MIRRORED.names[1:]).columns]
        sink.write(pa.Table.from_arrays(columns, schema=MIRRORED), part[documents].astype(np.int64))


def _matrix(table: pa.Table, rows: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    return matrix(exchange.one_chunk(table.column("sketch").take(pa.array(rows))), width)
