"""Steps `mirror-meet` and `mirror-left`: signed records that became no document come together with documents.

mirror-meet (a task per range of keys) finds which share a key, by the barrier stage's own rule; mirror-left (a task per
range of the records' items) adds what there is to know of a record: its sketch, and what a copy of it is to be told.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.steps.joining.meet import pairs_of
from lauter.pipeline.steps.joining.ranges import find, runs_of, starts_of, unique_pairs
from lauter.pipeline.steps.joining.sign import IDENTITY_BIT
from lauter.pipeline.steps.joining.stage import stage_of
from lauter.pipeline.steps.layouts import ITEMS, KEYS, MEETINGS, TOUCHES
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

CROSSED = 1 << 16
"""Pairs of one identity up to which each record is named with each document; above, both with the smallest other."""


def meet(task: Task, storage: Storage) -> Result:
    """Items of documents and of records that share a key of one range, by the record's item."""
    args = task.args
    paths = [output.path for output in listing(storage, args["mirrors"])]
    records = unique_pairs(exchange.read_records(storage, paths, args["partition"], KEYS))
    documents = _sharing(task, storage, np.unique(records[:, 0]))
    records = records[np.isin(records[:, 0], documents[:, 0])]
    path = f"state/meetings/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, MEETINGS)
        for pairs, sure in _meetings(task, records, documents) if len(records) else ():
            columns = [pairs[:, 0], pairs[:, 1], np.full(len(pairs), sure, np.uint8)]
            sink.write(pa.table(columns, schema=MEETINGS), exchange.partition_of(pairs[:, 1], args["partitions"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"pairs": sink.rows})


def _sharing(task: Task, storage: Storage, wanted: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(key, item) of the documents with one of some keys, sorted; a message of keys at a time."""
    found = [np.empty((0, 2), np.uint64)]
    for output in listing(storage, task.args["listing"]) if len(wanted) else ():
        for batch in exchange.read(storage, output.path, task.args["partition"], KEYS):
            key = batch.column("key").to_numpy()
            there = find(wanted, key)[1]
            found.append(np.column_stack([key[there], batch.column("item").to_numpy()[there]]))
    return unique_pairs(np.concatenate(found))


def _meetings(
    task: Task, records: NDArray[np.uint64], documents: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.uint64], bool]]:
    """(item of a document, item of a record), and whether they are copies without a look."""
    of_records, of_documents = ((rows[:, 0] & IDENTITY_BIT) != 0 for rows in (records, documents))
    for pairs in _identities(records[of_records], documents[of_documents]):
        yield unique_pairs(pairs), True
    near, others = records[~of_records], documents[~of_documents]
    if not len(near):
        return
    signed, known = np.unique(near[:, 1]), np.unique(others[:, 1])
    for pairs in pairs_of(stage_of(task), unique_pairs(np.concatenate([near, others]))):
        both = [ends[find(known, ends[:, 0])[1] & find(signed, ends[:, 1])[1]] for ends in (pairs, pairs[:, ::-1])]
        yield unique_pairs(np.concatenate(both)), False


def _identities(records: NDArray[np.uint64], documents: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    ends = [starts_of(rows[:, 0]) for rows in (records, documents)]
    for place in range(len(ends[0]) - 1):
        # Both have the same keys, in order.
        own, others = (rows[s[place] : s[place + 1], 1] for rows, s in zip((records, documents), ends, strict=True))
        if len(own) * len(others) <= CROSSED:
            yield np.column_stack([np.tile(others, len(own)), np.repeat(own, len(others))])
        else:
            yield np.column_stack([others, np.full(len(others), own[0])])
            yield np.column_stack([np.full(len(own), others[0]), own])


def left(task: Task, storage: Storage) -> Result:
    """Each meeting of one range of records' items with the first such record of each stage, by the document's item.

    A record also meets the documents with its own item, if there are any: nothing but the item is needed for that.
    Holds the signatures of the range's records.
    """
    args = task.args
    table = _records(task, storage)
    item = exchange.one_chunk(table.column("item")).to_numpy()
    starts = starts_of(item)
    items = item[starts[:-1]]
    path = f"state/touches/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, TOUCHES)
        _touch(sink, table, np.arange(len(item)), item, np.ones(len(item), np.uint8), args["partitions"])
        for output in listing(storage, args["meetings"]):
            for batch in exchange.read(storage, output.path, args["partition"], MEETINGS):
                place, there = find(items, batch.column("record").to_numpy())
                if not there.all():
                    raise RuntimeError(f"{task.name}: a record without a signature has keys; please report this")
                rows, times = runs_of(starts, place), (starts[1:] - starts[:-1])[place]
                document = np.repeat(batch.column("item").to_numpy(), times)
                _touch(
                    sink, table, rows, document, np.repeat(batch.column("sure").to_numpy(), times), args["partitions"]
                )
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"touches": sink.rows})


def _touch(
    sink: exchange.PartitionedSink,
    table: pa.Table,
    rows: NDArray[np.int64],
    document: NDArray[np.uint64],
    sure: NDArray[np.uint8],
    partitions: int,
) -> None:
    told = table.take(pa.array(rows))
    columns = [told.column(name) for name in ("item", "record", "stage", "doc_id", "url", "sketch")]
    made = pa.Table.from_arrays([pa.array(document), *columns, pa.array(sure)], schema=TOUCHES)
    sink.write(made, exchange.partition_of(document, partitions))


def _records(task: Task, storage: Storage) -> pa.Table:
    """The records of one range of items, sorted by item, of each item the first of each stage."""
    args = task.args
    layout = pa.schema([TOUCHES.field(name) for name in ("record", "stage", "doc_id", "url", "sketch")])
    layout = layout.insert(0, ITEMS.field("item"))
    found = [layout.empty_table()]
    for part, (signed, named) in enumerate(
        zip(listing(storage, args["items"]), listing(storage, args["records"]), strict=True)
    ):
        items = pa.Table.from_batches(list(exchange.read(storage, signed.path, args["partition"], ITEMS)), ITEMS)
        if not items.num_rows:
            continue
        items = items.sort_by("row")
        rows = items.column("row").to_numpy()
        own = _named(storage, named.path, rows)
        node = exchange.node(part, rows.astype(np.uint64))
        columns = [items.column("item"), pa.array(node), own.column("stage")]
        columns += [own.column("doc_id"), own.column("url"), items.column("sketch")]
        found.append(pa.Table.from_arrays(columns, schema=layout))
    table = pa.concat_tables(found).sort_by([(name, "ascending") for name in ("item", "stage", "record")])
    item, stage = table.column("item").to_numpy(), table.column("stage").to_pylist()
    first = np.ones(len(item), np.bool_)
    first[1:] = (item[1:] != item[:-1]) | np.array([a != b for a, b in zip(stage[1:], stage, strict=False)], np.bool_)
    return table.filter(pa.array(first)).combine_chunks()


def _named(storage: Storage, path: str, rows: NDArray[np.uint32]) -> pa.Table:
    """`stage`, `doc_id` and `url` of some rows of a file of `MIRRORS`, in order; holds them and a row group."""
    layout = pa.schema([TOUCHES.field(name) for name in ("stage", "doc_id", "url")])
    found = [layout.empty_table()]
    for batch in parquet.batches(storage, path):
        own = batch.filter(pa.array(np.isin(batch.column("row").to_numpy(), rows)))
        columns = [own.column("stage").cast(pa.string()), own.column("doc_id"), own.column("url")]
        found.append(pa.Table.from_arrays(columns, schema=layout))
    table = pa.concat_tables(found)
    if table.num_rows != len(rows):
        raise RuntimeError(f"{path}: signed records that are not in it; please report this")
    return table
