"""Step `cut`: what is cut of one part's kept documents, and which of them go as a whole.

`cuts/` says of every document that lost something which code points of its text stand in no shard. A document that goes
as a whole has one cut, from its first to its last character.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import StageContext
from lauter.pipeline.cuts import code_points, problem
from lauter.pipeline.cutting import Cuts, CuttingStage, Repeated
from lauter.pipeline.specs import reads_of
from lauter.pipeline.steps.layouts import CUTS, KEPT, REPEATS, ROWS, row_numbers, rows_of_part
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import opened

Indexes = NDArray[np.int64]


def run(task: Task, storage: Storage) -> Result:
    """Cut one part. Memory: 20 bytes an occurrence that comes again in the part, and a row group of documents."""
    args = task.args
    stage: CuttingStage = opened(args["stage"], StageContext(seed=args["seed"]))
    found = rows_of_part(storage, args["repeats"], args["ordinal"], REPEATS)
    found = found.sort_by([(name, "ascending") for name in ("row", "start", "end")])
    row, start, end, occurrences = (found.column(name).to_numpy().astype(np.int64) for name in REPEATS.names)
    wanted = ["doc_id", "row", *sorted(reads_of(args["stage"]))]
    counts = {"documents": 0, "dropped": 0, "cut_chars": 0}
    emptied = [np.empty(0, np.uint32)]
    path = f"cuts/{args['part']}.parquet"
    with storage.staging(path) as staged:
        sink = parquet.ParquetSink(staged, CUTS)
        for group in parquet.batches(storage, args["documents"]["path"], wanted) if len(row) else ():
            batch = group.filter(pa.array(np.isin(group.column("row").to_numpy(), row)))
            rows = batch.column("row").to_numpy()
            if not len(rows):
                continue
            own = slice(np.searchsorted(row, rows[0]), np.searchsorted(row, rows[-1], "right"))
            repeated = Repeated(np.searchsorted(rows, row[own]), start[own], end[own], occurrences[own])
            cuts = _whole(stage.cut(batch.select(wanted[2:]), repeated), code_points(batch.column("text")))
            sink.write(_table(batch, cuts, repeated))
            emptied.append(rows[cuts.dropped])
            touched = len(np.unique(cuts.row))
            counts["documents"] += touched - int(cuts.dropped.sum())
            counts["dropped"] += int(cuts.dropped.sum())
            counts["cut_chars"] += int((cuts.end - cuts.start).sum())
        sink.close()
        published = parquet.describe(staged, path)
    gone = np.concatenate(emptied)
    kept, _ = exchange.read_parts(storage, [args["kept"]["path"]], 0, KEPT)
    left = kept.filter(pa.array(~np.isin(row_numbers(kept), gone)))
    outputs = [
        exchange.write(storage, f"state/{folder}/{args['part']}.arrow", table, np.zeros(table.num_rows, np.int64))
        for folder, table in (("left", left), ("emptied", pa.Table.from_arrays([pa.array(gone)], schema=ROWS)))
    ]
    return Result((published, *outputs), counts)


def _whole(cuts: Cuts, lengths: Indexes) -> Cuts:
    """Checked, and with one cut of everything for a document that goes; one of which nothing is left goes too.

    Raises `RuntimeError` for what breaks the contract of `Cuts`.
    """
    wrong = problem(cuts.row, cuts.start, cuts.end, lengths)
    if wrong is None and cuts.dropped.shape != lengths.shape:
        wrong = f"`dropped` has the shape {cuts.dropped.shape}"
    if wrong:
        raise RuntimeError(f"the cuts of the stage break the contract: {wrong}")
    gone = np.zeros(len(lengths), np.int64)
    np.add.at(gone, cuts.row, cuts.end - cuts.start)
    dropped = cuts.dropped | ((gone == lengths) & (gone > 0))
    stays = ~dropped[cuts.row]
    whole = np.flatnonzero(dropped)
    row = np.concatenate([cuts.row[stays], whole])
    order = np.argsort(row, kind="stable")
    start = np.concatenate([cuts.start[stays], np.zeros(len(whole), np.int64)])
    end = np.concatenate([cuts.end[stays], lengths[whole]])
    return Cuts(row[order], start[order], end[order], dropped)


def _table(batch: pa.RecordBatch, cuts: Cuts, repeated: Repeated) -> pa.RecordBatch:
    """Rows of `CUTS`: each with the number of occurrences of the most frequent passage that it touches."""
    index = pa.array(cuts.row)
    most = np.zeros(len(cuts.row), np.int64)
    # The last cut that begins before a passage ends; a passage of which the stage cut nothing has none.
    place = np.searchsorted(_place(cuts.row, cuts.start), _place(repeated.row, repeated.end), "left") - 1
    before = np.flatnonzero(place >= 0)
    place = place[before]
    touches = (cuts.row[place] == repeated.row[before]) & (cuts.end[place] > repeated.start[before])
    np.maximum.at(most, place[touches], repeated.occurrences[before[touches]])
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id").take(index),
            batch.column("row").take(index),
            pa.array(cuts.start.astype(np.int32)),
            pa.array(cuts.end.astype(np.int32)),
            pa.array(most),
        ],
        schema=CUTS,
    )


def _place(row: Indexes, point: Indexes) -> Indexes:
    """A place in a batch as one number."""
    return (row << 32) + point
