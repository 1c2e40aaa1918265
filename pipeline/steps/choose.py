"""Step `choose`: the canonical document of every cluster, among those that survived the other decisions.

The rule: source order in the manifest, then the earlier date, then the smaller doc_id. It never depends on arrival.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import CANDIDATES, LOSERS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def run(task: Task, storage: Storage) -> Result:
    """Choose in one range of clusters; publish the others, partitioned by part."""
    paths = [output.path for output in listing(storage, task.args["listing"])]
    partition = task.args["partition"]
    table, part = exchange.read_parts(storage, paths, partition, CANDIDATES)
    table = table.append_column("part", pa.array(part))
    order = ["cluster", "priority", "fetched_at", "doc_id", "part", "row"]
    table = table.sort_by([(name, "ascending") for name in order]).combine_chunks()
    cluster = table.column("cluster").to_numpy()
    first = np.ones(len(cluster), np.bool_)
    first[1:] = cluster[1:] != cluster[:-1]
    canonical = np.flatnonzero(first)[np.cumsum(first) - 1] if len(first) else np.empty(0, np.int64)
    digest = table.column("text_sha256").combine_chunks()
    exact = pc.equal(digest, digest.take(pa.array(canonical)))
    losers = pa.Table.from_arrays(
        [table.column("row"), table.column("doc_id").take(pa.array(canonical)), exact], schema=LOSERS
    ).filter(pa.array(~first))
    output = exchange.write(
        storage,
        f"state/losers/{partition:05d}.arrow",
        losers,
        table.column("part").to_numpy()[~first].astype(np.int64),
    )
    return Result((output,), {"duplicates": losers.num_rows})
