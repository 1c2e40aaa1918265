"""Steps `leaves` and `merkle`: the ledger as it is published, as leaves, and the trees of their key ranges."""

from __future__ import annotations

from lauter.pipeline import exchange
from lauter.pipeline.proof.partition import group_ranges, leaf_tables
from lauter.pipeline.proof.tree import Shape
from lauter.pipeline.steps.layouts import LEAVES
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def leaves(task: Task, storage: Storage) -> Result:
    """Hash the rows of one ledger part; publish their leaves by groups of ranges."""
    path = f"state/leaves/{task.args['part']}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, LEAVES)
        for table, group in leaf_tables(storage, task.args["ledger"]["path"], task.args["groups"]):
            sink.write(table, group)
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"rows": sink.rows})


def merkle(task: Task, storage: Storage) -> Result:
    """The number of leaves and the root of each range of one group."""
    paths = [output.path for output in listing(storage, task.args["listing"])]
    found = group_ranges(storage, paths, task.args["group"], Shape(*task.args["shape"]))
    return Result((), {"trees": [[item.leaves, item.root.hex()] for item in found]})
