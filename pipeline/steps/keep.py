"""Step `keep`: the rows of one part that nothing objects to.

Small, and a step of its own: the encoder's key depends on which rows are kept and not on why the others are not, so
another threshold or another file encodes only the parts whose rows it changes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import exchange, parquet
from lauter.pipeline.steps.layouts import COPIES, KEPT, LOSERS, ROWS, row_numbers, rows_of_part
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task


def run(task: Task, storage: Storage) -> Result:
    """Documents without a soft decision against them that are no copy and no repeated record."""
    args = task.args
    decisions = parquet.read(storage, args["decisions"]["path"], ["row", "reason"])
    rows = row_numbers(decisions.filter(pc.is_null(decisions.column("reason"))))
    dropped = row_numbers(rows_of_part(storage, args["same"], args["ordinal"], ROWS))
    if args["losers"] is not None:
        losers = rows_of_part(storage, args["losers"], args["ordinal"], LOSERS)
        dropped = np.concatenate([dropped, row_numbers(losers)])
    kept = np.sort(rows[~np.isin(rows, dropped)])
    copies = np.ones(len(kept), np.uint32)
    if args["copies"] is not None:
        stands = rows_of_part(storage, args["copies"], args["ordinal"], COPIES)
        # Without a graph a document may be named by several ranges, and be dropped itself.
        there = np.isin(row_numbers(stands), kept)
        place = np.searchsorted(kept, row_numbers(stands)[there])
        np.add.at(copies, place, stands.column("copies").to_numpy()[there] - np.uint32(1))
    table = pa.Table.from_arrays([pa.array(kept), pa.array(copies)], schema=KEPT)
    output = exchange.write(storage, f"state/kept/{args['part']}.arrow", table, np.zeros(len(kept), np.int64))
    return Result((output,), {"kept": len(kept)})
