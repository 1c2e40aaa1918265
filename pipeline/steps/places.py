"""Step `places`: the places of the documents of some hundred shards in one file, so that a part opens few."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import POSITIONS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def run(task: Task, storage: Storage) -> Result:
    """Put together what the shards of the listing say, by part."""
    path = f"state/places/{task.args['number']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, POSITIONS)
        for output in listing(storage, task.args["listing"]):
            for part, batch in exchange.parted_messages(storage, output.path, POSITIONS):
                sink.write(pa.Table.from_batches([batch]), np.full(batch.num_rows, part, np.int64))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"documents": sink.rows})
