"""Steps `turn` and `gather`: copies without a graph, for more documents than a union-find has room for.

A document is dropped if a copy of it comes before it in the order of preference, whatever becomes of that one. Every
item has a group: its own documents, and those of its neighbours, which visit it. So nothing of the whole is held, and
what the choice holds is the groups of its range.
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import EDGES
from lauter.pipeline.steps.joining.members import documents_of, with_two
from lauter.pipeline.steps.joining.ranges import find, range_of_component, runs_of, starts_of
from lauter.pipeline.steps.layouts import COMPONENT_EDGES, ITEMS, MEMBERS, NEIGHBOURS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def turn(task: Task, storage: Storage) -> Result:
    """The edges of one range of smaller items, told to both of their items."""
    args = task.args
    path = f"state/neighbours/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, NEIGHBOURS)
        for verified, name in ((0, "links"), (1, "edges")):
            for output in listing(storage, args[name]):
                for batch in exchange.read(storage, output.path, args["partition"], EDGES):
                    kind = pa.array(np.full(batch.num_rows, verified, np.uint8))
                    for item, other in (("left", "right"), ("right", "left")):
                        table = pa.Table.from_arrays([batch.column(item), batch.column(other), kind], schema=NEIGHBOURS)
                        own = batch.column(item).to_numpy()
                        sink.write(table, exchange.partition_of(own, args["partitions"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"neighbours": sink.rows})


def gather(task: Task, storage: Storage) -> Result:
    """The documents of one range of items that are not alone, to their own group and to those of their neighbours."""
    args = task.args
    item, other, verified = _neighbours(task, storage)
    paths = [output.path for output in listing(storage, args["items"])]
    together = with_two(storage, paths, args["partition"], item)
    starts = starts_of(item)
    owners = item[starts[:-1]]
    names = [f"state/{folder}/{args['partition']:05d}.arrow" for folder in ("members", "component-edges")]
    with ExitStack() as files:
        staged = [files.enter_context(storage.staging(name)) for name in names]
        sinks = [
            exchange.PartitionedSink(file, layout)
            for file, layout in zip(staged, (MEMBERS, COMPONENT_EDGES), strict=True)
        ]
        edges = pa.table([item[verified], item[verified], other[verified]], schema=COMPONENT_EDGES)
        sinks[1].write(edges, range_of_component(item[verified], args["partitions"]))
        for part, path in enumerate(paths if len(together) else ()):
            for batch in exchange.read(storage, path, args["partition"], ITEMS):
                own = batch.column("item").to_numpy()
                rows = np.flatnonzero(find(together, own)[1])
                place, there = find(owners, own[rows])
                visiting = np.repeat(rows[there], (starts[1:] - starts[:-1])[place[there]])
                groups = np.concatenate([own[rows], other[runs_of(starts, place[there])]])
                table = documents_of(batch, part, np.concatenate([rows, visiting]), groups)
                sinks[0].write(table, range_of_component(groups, args["partitions"]))
        for sink in sinks:
            sink.close()
        outputs = [
            exchange.describe(file, name, sink.rows) for file, name, sink in zip(staged, names, sinks, strict=True)
        ]
    return Result(tuple(outputs), {"members": outputs[0].rows})


def _neighbours(task: Task, storage: Storage) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    """(item, neighbour, whether they were compared) of the range, each pair once, by item."""
    paths = [output.path for output in listing(storage, task.args["neighbours"])]
    table = exchange.read_parts(storage, paths, task.args["partition"], NEIGHBOURS)[0]
    item, other, verified = (table.column(name).to_numpy() for name in NEIGHBOURS.names)
    order = np.lexsort((1 - verified.astype(np.int8), other, item))
    item, other, verified = item[order], other[order], verified[order]
    first = np.ones(len(item), np.bool_)
    first[1:] = (item[1:] != item[:-1]) | (other[1:] != other[:-1])
    return item[first], other[first], verified[first] != 0
