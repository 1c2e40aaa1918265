"""Steps `emit`, `reduce`, `cluster`: a barrier stage joins documents that share a key.

emit (a task per part) reads text once and leaves small keyed records; reduce (a task per key range) turns keys that
meet into edges; cluster (one task) turns edges into components and hands each part the clusters of its own rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import BarrierStage, StageContext
from lauter.pipeline.steps.layouts import CLUSTERS, KEYS, read_edges, write_edges
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, opened


def _stage(task: Task) -> BarrierStage:
    stage: BarrierStage = opened(task.args["stage"], StageContext(seed=task.args["seed"]))
    return stage


def _reads(stage: BarrierStage, task: Task) -> tuple[str, ...]:
    """The columns it wants, which may depend on its parameters."""
    if not hasattr(stage, "reads_for"):
        return stage.reads
    wanted: tuple[str, ...] = stage.reads_for(stage.Config.model_validate(task.args["stage"]["config"]))
    return wanted


def emit(task: Task, storage: Storage) -> Result:
    """Keys of one part's documents, partitioned by key."""
    stage, part = _stage(task), task.args["part"]
    path = f"state/keys/{part}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, KEYS)
        for batch in parquet.batches(storage, task.args["documents"]["path"], ["row", *_reads(stage, task)]):
            index, key = stage.emit(batch)
            table = pa.Table.from_arrays([pa.array(key), pa.array(batch.column("row").to_numpy()[index])], schema=KEYS)
            sink.write(table, exchange.partition_of(key, task.args["partitions"]))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    return Result((output,), {"keys": output.rows})


def reduce(task: Task, storage: Storage) -> Result:
    """Edges between the documents that share a key of one range."""
    paths = [output.path for output in listing(storage, task.args["listing"])]
    partition = task.args["partition"]
    table, part = exchange.read_parts(storage, paths, partition, KEYS)
    node = exchange.node(part, table.column("row").to_numpy().astype(np.uint64))
    edges = _stage(task).reduce(table.column("key").to_numpy(), node)
    output = write_edges(storage, f"state/edges/{partition:05d}.arrow", edges)
    return Result((output,), {"edges": len(edges)})


def cluster(task: Task, storage: Storage) -> Result:
    """Components of all edges; each part's rows of a cluster go to its slice."""
    node, label = _stage(task).finish(read_edges(storage, task.args["listing"]))
    _, inverse, sizes = np.unique(label, return_inverse=True, return_counts=True)
    parts, rows = exchange.split_node(node)
    table = pa.Table.from_arrays(
        [pa.array(rows), pa.array(label), pa.array(sizes[inverse].astype(np.uint32))], schema=CLUSTERS
    )
    output = exchange.write(storage, "state/clusters/clusters.arrow", table, parts)
    histogram = np.bincount(np.ceil(np.log2(sizes)).astype(np.int64))
    return Result(
        (output,), {"clusters": len(sizes), "clustered": len(node), "log2_sizes": [int(n) for n in histogram]}
    )
