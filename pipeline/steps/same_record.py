"""Step `same`: the same doc_id met twice. One task a range of ids; the first record in run order stands."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import IDENTITY, ROWS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def run(task: Task, storage: Storage) -> Result:
    """Find every later record of an id; publish its row, partitioned by part."""
    paths = [output.path for output in listing(storage, task.args["listing"])]
    partition = task.args["partition"]
    first, end = task.args["cells"]
    table, part = exchange.read_parts(storage, paths, first, IDENTITY, end)
    high, low = table.column("high").to_numpy(), table.column("low").to_numpy()
    node = exchange.node(part, table.column("row").to_numpy().astype(np.uint64))
    order = np.lexsort((node, low, high))
    high, low, node = high[order], low[order], node[order]
    again = np.zeros(len(node), np.bool_)
    again[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    parts, rows = exchange.split_node(node[again])
    output = exchange.write(
        storage,
        f"state/same/{partition:05d}.arrow",
        pa.Table.from_arrays([pa.array(rows)], schema=ROWS),
        parts,
    )
    return Result((output,), {"same_record": int(again.sum())})
