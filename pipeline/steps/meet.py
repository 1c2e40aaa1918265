"""Steps `meet` and `mirrored`: documents that share a key with a signed record which became none.

meet (a task per key range) joins them by the barrier stage's own rule; mirrored (one task) carries that to whole
clusters of documents and hands each part its copies, each with the record that it is a copy of.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import BarrierStage, StageContext
from lauter.pipeline.steps.layouts import CLUSTERS, KEYS, MIRRORED, read_edges, write_edges
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, opened

Nodes = NDArray[np.uint64]


def _barrier(task: Task) -> BarrierStage:
    stage: BarrierStage = opened(task.args["barrier"], StageContext(seed=task.args["seed"]))
    return stage


def run(task: Task, storage: Storage) -> Result:
    """Edges between records and documents over the keys of one range that both have."""
    partition = task.args["partition"]
    mirrors = [output.path for output in listing(storage, task.args["mirrors"])]
    table, part = exchange.read_parts(storage, mirrors, partition, KEYS)
    key = table.column("key").to_numpy()
    node = exchange.node(part, table.column("row").to_numpy().astype(np.uint64))
    other_key, other_node = _sharing(task, storage, np.unique(key))
    met = np.isin(key, other_key)
    edges = np.empty((0, 2), np.uint64)
    if met.any():
        edges = _barrier(task).reduce(np.concatenate([key[met], other_key]), np.concatenate([node[met], other_node]))
    output = write_edges(storage, f"state/mirror-edges/{partition:05d}.arrow", edges)
    return Result((output,), {"edges": len(edges)})


def _sharing(task: Task, storage: Storage, wanted: Nodes) -> tuple[Nodes, Nodes]:
    """(key, node) of the documents with one of some keys; a file of keys at a time, so memory is that of the shared."""
    keys, nodes = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for part, output in enumerate(listing(storage, task.args["documents"]) if len(wanted) else ()):
        for batch in exchange.read(storage, output.path, task.args["partition"], KEYS):
            key = batch.column("key").to_numpy()
            shared = np.isin(key, wanted)
            keys.append(key[shared])
            nodes.append(exchange.node(part, batch.column("row").to_numpy()[shared].astype(np.uint64)))
    return np.concatenate(keys), np.concatenate(nodes)


def join(task: Task, storage: Storage) -> Result:
    """Every document of a cluster that one record or more are copies of, with the first of them for each stage."""
    args = task.args
    parts = listing(storage, args["mirrors"])
    edges = np.concatenate([np.empty((0, 2), np.uint64), *read_edges(storage, args["edges"])])
    ends = np.unique(edges)
    label, clustered = ends.copy(), np.zeros(len(ends), np.bool_)
    clusters = args["clusters"]["path"]
    for part in range(len(parts) if len(ends) else 0):
        for rows, cluster in _clusters(storage, clusters, part):
            place, there = _places(ends, exchange.node(part, rows.astype(np.uint64)))
            label[place] = cluster[there]
            clustered[place] = True
    # Clusters of documents are single nodes from here on: only what records join to them is looked at.
    joined = label[np.searchsorted(ends, edges)]
    node, component = _barrier(task).finish([joined[joined[:, 0] != joined[:, 1]]])
    first, record = _first_records(storage, [output.path for output in parts], node, component)
    path = "state/mirrored/mirrored.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, MIRRORED)
        for part in range(len(parts) if first else 0):
            alone = ends[~clustered & ~np.isin(ends, record)]
            number, row = exchange.split_node(alone)
            found = [(row[number == part], alone[number == part]), *_clusters(storage, clusters, part)]
            rows, of = (np.concatenate(columns) for columns in zip(*found, strict=True))
            sink.write(*_of_part(part, rows, of, node, component, first))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    return Result((output,), {"mirrored": output.rows})


Copies = dict[tuple[int, str], tuple[bytes, str | None]]
"""(component, stage) -> doc_id and URL of its first record that the stage dropped."""


def _first_records(storage: Storage, paths: list[str], node: Nodes, component: Nodes) -> tuple[Copies, Nodes]:
    """The first record of each component and stage, and all nodes that are records; a part at a time."""
    first: Copies = {}
    records = [np.empty(0, np.uint64)]
    for part, path in enumerate(paths if len(node) else ()):
        table = parquet.read(storage, path)
        nodes = exchange.node(part, table.column("row").to_numpy().astype(np.uint64))
        place, there = _places(node, nodes)
        records.append(nodes[there])
        for of, found in zip(component[place].tolist(), table.take(pa.array(there)).to_pylist(), strict=True):
            first.setdefault((of, found["stage"]), (found["doc_id"], found["url"]))
    return first, np.concatenate(records)


def _of_part(
    part: int, rows: NDArray[np.uint32], cluster: Nodes, node: Nodes, component: Nodes, first: Copies
) -> tuple[pa.Table, NDArray[np.int64]]:
    """The copies of one part, in the order of rows, then of the stages' names."""
    place, there = _places(node, cluster)
    stages = sorted({stage for _, stage in first})
    found = [
        (row, stage, *first[of, stage])
        for row, of in sorted(zip(rows[there].tolist(), component[place].tolist(), strict=True))
        for stage in stages
        if (of, stage) in first
    ]
    columns = zip(*found, strict=True) if found else [()] * len(MIRRORED)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, MIRRORED, strict=True)]
    return pa.Table.from_arrays(arrays, schema=MIRRORED), np.full(len(found), part, np.int64)


def _places(nodes: Nodes, wanted: Nodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where wanted nodes stand in a sorted list, and which of the wanted these are."""
    if not len(nodes):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    place = np.minimum(np.searchsorted(nodes, wanted), len(nodes) - 1)
    there = np.flatnonzero(nodes[place] == wanted)
    return place[there], there


def _clusters(storage: Storage, path: str, part: int) -> Iterator[tuple[NDArray[np.uint32], Nodes]]:
    """Rows of a part that lie in a cluster, and the cluster of each."""
    for batch in exchange.read(storage, path, part, CLUSTERS):
        yield batch.column("row").to_numpy(), batch.column("cluster").to_numpy()
