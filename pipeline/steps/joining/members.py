"""Steps `members`, `route` and `sizes`: the documents and the edges of each component come together.

members and route (a task per range of items) know of each item in which component it lies, and send documents and
edges to the range of the component; sizes (a task per range of components) counts, and tells each part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import EDGES, LABELS
from lauter.pipeline.steps.joining.giants import stop_at_giants
from lauter.pipeline.steps.joining.ranges import find, range_of_component
from lauter.pipeline.steps.layouts import CLUSTERS, COMPONENT_EDGES, ITEMS, MEMBERS
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def members(task: Task, storage: Storage) -> Result:
    """The documents of items that are not alone: equal items, or items with an edge; by component.

    Holds the items of its range, 8 bytes a document, and what sorting them takes. With `sketches` the first document
    of an item brings its sketch along.
    """
    args = task.args
    item, component = labels(task, storage)
    paths = [output.path for output in listing(storage, args["items"])]
    together = with_two(storage, paths, args["partition"], item)
    seen = np.zeros(len(together), np.bool_)
    path = f"state/members/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, MEMBERS)
        for part, name in enumerate(paths if len(together) else ()):
            for batch in exchange.read(storage, name, args["partition"], ITEMS):
                place, there = find(together, batch.column("item").to_numpy())
                rows, place = np.flatnonzero(there), place[there]
                if len(rows):
                    table = _members(batch, part, rows, item, component, _first(place, seen) & args["sketches"])
                    of = table.column("component").to_numpy()
                    sink.write(table, range_of_component(of, args["partitions"]))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    return Result((output,), {"members": output.rows})


def labels(task: Task, storage: Storage) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(item, component) of the items of the task's range that have an edge, sorted by item."""
    paths = [output.path for output in listing(storage, task.args["labels"])]
    table = exchange.read_parts(storage, paths, task.args["partition"], LABELS)[0]
    item = table.column("item").to_numpy()
    order = np.argsort(item)
    return item[order], table.column("cluster").to_numpy()[order]


def with_two(storage: Storage, paths: Sequence[str], partition: int, others: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The items of a range that have two documents or more, and `others`; sorted."""
    held = [
        batch.column("item").to_numpy() for path in paths for batch in exchange.read(storage, path, partition, ITEMS)
    ]
    items = np.concatenate([np.empty(0, np.uint64), *held])
    items.sort()
    again = items[1:][items[1:] == items[:-1]]
    return np.unique(np.concatenate([again, others]))


def _first(place: NDArray[np.int64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of some rows are the first of their item; notes them as seen."""
    first = np.zeros(len(place), np.bool_)
    first[np.unique(place, return_index=True)[1]] = True
    first &= ~seen[place]
    seen[place] = True
    return first


def _members(
    batch: pa.RecordBatch,
    part: int,
    rows: NDArray[np.int64],
    labelled: NDArray[np.uint64],
    component: NDArray[np.uint64],
    with_sketch: NDArray[np.bool_],
) -> pa.Table:
    item = batch.column("item").to_numpy()[rows]
    place, there = find(labelled, item)
    of = item.copy()
    of[there] = component[place[there]]
    sketch = batch.column("sketch").take(pa.array(rows, mask=~with_sketch))
    return documents_of(batch, part, rows, of).set_column(4, MEMBERS.field("sketch"), sketch)


def documents_of(batch: pa.RecordBatch, part: int, rows: NDArray[np.int64], component: NDArray[np.uint64]) -> pa.Table:
    """Some rows of a batch of `ITEMS` as `MEMBERS` of the components, without a sketch."""
    columns = [
        pa.array(component),
        batch.column("item").take(pa.array(rows)),
        pa.array(np.full(len(rows), part, np.uint32)),
        batch.column("row").take(pa.array(rows)),
        pa.nulls(len(rows), MEMBERS.field("sketch").type),
    ]
    return pa.Table.from_arrays(columns, schema=MEMBERS)


def route(task: Task, storage: Storage) -> Result:
    """The edges of one range of smaller items, each with its component, by component."""
    args = task.args
    item, component = labels(task, storage)
    path = f"state/{args['name']}component-edges/{args['partition']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, COMPONENT_EDGES)
        for output in listing(storage, args["edges"]):
            for batch in exchange.read(storage, output.path, args["partition"], EDGES):
                place, there = find(item, batch.column("left").to_numpy())
                if not there.all():
                    raise RuntimeError(f"{task.name}: an edge between items that have no component; please report")
                of = component[place]
                table = pa.Table.from_arrays([pa.array(of), *batch.columns], schema=COMPONENT_EDGES)
                sink.write(table, range_of_component(of, args["partitions"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"edges": sink.rows})


def sizes(task: Task, storage: Storage) -> Result:
    """Which cluster each document of one range of components lies in, and how many documents that has, by part.

    A document that only visits a group (`neighbours`) is told so by a size of 0: its own group has another name.
    A cluster is called by the place of its first document in the run (`exchange.node`). A component's own name is an
    item, the hash of one document's text, and `decisions/` would say it in the rows of all others, where it would
    outlive a takedown of that document. `signatures/items` has it too, but in the document's own row, which goes with
    it; below `state/` a takedown looks for it (`takedown.items`).

    Holds the documents of its range, about 240 bytes each, unless a component is too large (`giants`): that is found
    out before, and stops the build.
    """
    stop_at_giants(task, storage)
    args = task.args
    names = ("component", "part", "row", "item")
    held: list[list[NDArray[np.uint64]]] = [[] for _ in names]
    for output in listing(storage, args["members"]):
        for batch in exchange.read(storage, output.path, args["partition"], MEMBERS):
            for column, name in zip(held, names, strict=True):
                column.append(batch.column(name).to_numpy().astype(np.uint64))
    component, part, row, item = (np.concatenate([np.empty(0, np.uint64), *column]) for column in held)
    node = exchange.node(part, row)
    _, inverse, size = np.unique(component, return_inverse=True, return_counts=True)
    first = np.full(len(size), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(first, inverse, node)
    visits = (component != item) if args["visits"] else np.zeros(len(node), np.bool_)
    table = pa.Table.from_arrays(
        [
            pa.array(row.astype(np.uint32)),
            pa.array(first[inverse]),
            pa.array(np.where(visits, 0, size[inverse]).astype(np.uint32)),
            pa.array(component),
        ],
        schema=CLUSTERS,
    )
    output = _by_part(storage, f"state/clusters/{args['partition']:05d}.arrow", table, part)
    return Result((output,), _counts(size, inverse, part < np.uint64(args["parts"]), visits))


def _counts(
    size: NDArray[np.int64], cluster: NDArray[np.int64], own: NDArray[np.bool_], visits: NDArray[np.bool_]
) -> dict[str, Any]:
    """What the report is told of clusters, `size` each, but of those of older corpora's documents alone."""
    here = np.zeros(len(size), np.bool_)
    here[cluster[own & ~visits]] = True
    histogram = np.bincount(np.ceil(np.log2(size[here])).astype(np.int64), minlength=0)
    clustered = int((~visits & here[cluster]).sum())
    return {"clusters": int(here.sum()), "clustered": clustered, "log2_sizes": [int(count) for count in histogram]}


def _by_part(storage: Storage, path: str, table: pa.Table, part: NDArray[np.uint64]) -> Output:
    # Within a part in the order of its rows, so that bytes do not depend on how members came together.
    keys = (table.column("component").to_numpy(), table.column("row").to_numpy(), part)
    order = pa.array(np.lexsort(keys))
    return exchange.write(storage, path, table.take(order), part.astype(np.int64)[order.to_numpy()])
