"""Step `sign`: what the barrier stage leaves of one part's documents: items with their sketches, and keys.

Text is read here. Both files are published (`signatures/`), so that a later corpus can be compared with this one. An
item is a hash of a text: it is published in the row of its own document, and removed with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.comparing import BarrierStage
from lauter.pipeline.fixed_width import lists, packed
from lauter.pipeline.steps.joining.ranges import GOLDEN, unique_pairs
from lauter.pipeline.steps.joining.stage import signed, stage_of, stored_columns, with_source
from lauter.pipeline.steps.layouts import ITEMS, KEYS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task

IDENTITY_BIT = np.uint64(1)
"""Lowest bit of a key: set where documents that share it are copies, clear where they may be similar."""


def run(task: Task, storage: Storage) -> Result:
    """Sign one part. A part that is compared with nothing (`planted`) leaves empty files, and its text is not read."""
    args = task.args
    paths = [f"signatures/{kind}/{args['part']}.arrow" for kind in ("keys", "items")]
    with ExitStack() as files:
        staged = [files.enter_context(storage.staging(path)) for path in paths]
        sinks = [exchange.PartitionedSink(file, layout) for file, layout in zip(staged, (KEYS, ITEMS), strict=True)]
        for items, keys in () if args["planted"] else _signatures(task, storage):
            for sink, table in zip(sinks, (keys, items), strict=True):
                sink.write(table, exchange.partition_of(table.column(0).to_numpy(), args["partitions"]))
        for sink in sinks:
            sink.close()
        outputs = [
            exchange.describe(file, path, sink.rows) for file, path, sink in zip(staged, paths, sinks, strict=True)
        ]
    return Result(tuple(outputs), {"keys": outputs[0].rows, "items": outputs[1].rows})


def _signatures(task: Task, storage: Storage) -> Iterator[tuple[pa.Table, pa.Table]]:
    stage, args = stage_of(task), task.args
    for batch in parquet.batches(storage, args["documents"]["path"], ["row", *stored_columns(args["stage"])]):
        if batch.num_rows:
            yield signatures(stage, with_source(batch, args["source"]))


def signatures(stage: BarrierStage, batch: pa.RecordBatch) -> tuple[pa.Table, pa.Table]:
    """`ITEMS` and `KEYS` of a batch of documents with `row` and what the stage reads."""
    found = signed(stage, batch)
    compared = found.item != 0
    rows = pa.array(compared)
    items = pa.Table.from_arrays(
        [
            pa.array(found.item[compared]),
            batch.column("row").filter(rows),
            lists(found.identities[compared]),
            packed(found.sketches.filter(rows)),
        ],
        schema=ITEMS,
    )
    keys = [_near(found.item, found.row, found.key)]
    for column in range(found.identities.shape[1]):
        number = found.identities[:, column]
        keys.append(_identity_keys(number, found.item, column, compared & (number != 0)))
    pairs = unique_pairs(np.concatenate(keys))
    return items, pa.table([pairs[:, 0], pairs[:, 1]], schema=KEYS)


def _near(item: NDArray[np.uint64], row: NDArray[np.int64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(key, item) of the first document of each item: equal items have equal keys."""
    first = np.zeros(len(item), np.bool_)
    first[np.unique(item, return_index=True)[1]] = True
    chosen = first[row] & (item[row] != 0)
    return np.column_stack([key[chosen] & ~IDENTITY_BIT, item[row[chosen]]])


def _identity_keys(
    number: NDArray[np.uint64], item: NDArray[np.uint64], column: int, chosen: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    # Spread again: who says what an identity is need not know that it is a key by ranges.
    mixed = (number[chosen] + np.uint64(column)) * GOLDEN
    mixed ^= mixed >> np.uint64(32)
    return np.column_stack([(mixed * GOLDEN) | IDENTITY_BIT, item[chosen]])
