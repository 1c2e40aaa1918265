"""Steps `evidence` and `compare`: the texts of those pairs which their sketches leave open.

evidence (a task per part) reads the documents that open pairs need and no others; compare (a task per range) brings the
two sides of each pair together. Ranges are of a hash of both items: the smaller item alone would put all pairs of a
large bucket's hub into one piece, and a million of them are 8 GB.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import write_edges
from lauter.pipeline.steps.isolate import StageError
from lauter.pipeline.steps.joining.ranges import GOLDEN
from lauter.pipeline.steps.joining.stage import stage_of, stored_columns, with_source
from lauter.pipeline.steps.layouts import EVIDENCE, WANTED
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

FINE = 32
"""A range of pairs is compared in so many pieces: what is in memory are the two sides of one piece's pairs."""

CHUNK_ROWS = 1 << 12
"""Sides of pairs that are written at a time: a page of 1,000 words has 4 KB of evidence under the default MinHash."""


def evidence(task: Task, storage: Storage) -> Result:
    """What `compare` needs of one part's documents, by open pair."""
    args = task.args
    paths = [output.path for output in listing(storage, args["wanted"])]
    wanted = exchange.read_parts(storage, paths, args["ordinal"], WANTED)[0].sort_by("row").combine_chunks()
    path = f"state/{args['name']}evidence/{args['part']}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, EVIDENCE)
        for table in _evidence(task, storage, wanted) if wanted.num_rows else ():
            sink.write(table, exchange.partition_of(spread_pairs(table), args["partitions"] * FINE))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    if output.rows != wanted.num_rows:
        raise RuntimeError(f"{task.name}: {wanted.num_rows} documents wanted, {output.rows} read; please report")
    return Result((output,), {"documents": len(np.unique(wanted.column("row").to_numpy()))})


def spread_pairs(table: pa.Table) -> NDArray[np.uint64]:
    """A number for each pair of `left` and `right`, shape (n,), spread evenly whatever item many pairs share."""
    mixed: NDArray[np.uint64] = table.column("left").to_numpy() ^ (table.column("right").to_numpy() * GOLDEN)
    return mixed * GOLDEN


def _evidence(task: Task, storage: Storage, wanted: pa.Table) -> Iterator[pa.Table]:
    stage, rows = stage_of(task), wanted.column("row").to_numpy()
    for batch in _documents(task, storage, np.unique(rows)):
        found = stage.evidence(batch)
        if len(found) != batch.num_rows or found.type.value_type != pa.uint32():
            raise StageError(f"stage {stage.name}: evidence gave {len(found)} of {found.type}, for {batch.num_rows}")
        own = batch.column("row").to_numpy()
        sides = np.flatnonzero(np.isin(rows, own))
        for start in range(0, len(sides), CHUNK_ROWS):
            some = wanted.take(pa.array(sides[start : start + CHUNK_ROWS]))
            place = pa.array(np.searchsorted(own, some.column("row").to_numpy()))
            part = pa.array(np.full(some.num_rows, task.args["ordinal"], np.uint32))
            lists = found.take(place).cast(EVIDENCE.field("evidence").type)
            yield pa.Table.from_arrays(
                [*some.select(["left", "right", "side", "row"]).columns, part, lists], schema=EVIDENCE
            )


def _documents(task: Task, storage: Storage, rows: NDArray[np.uint32]) -> Iterator[pa.RecordBatch]:
    """The documents of some rows, a row group at a time; of the others only their numbers are read."""
    where = task.args["documents"]
    wanted = ["row", *stored_columns(task.args["stage"])]
    with (Storage(where["root"]) if "root" in where else storage).open(where.get("file") or where["path"]) as source:
        file = pq.ParquetFile(source)
        for group in range(file.num_row_groups):
            own = file.read_row_group(group, columns=["row"], use_threads=False).column("row").to_numpy()
            needed = np.isin(own, rows)
            if needed.any():
                table = file.read_row_group(group, columns=wanted, use_threads=False).filter(pa.array(needed))
                yield with_source(exchange.one_batch(table), task.args["source"])


def compare(task: Task, storage: Storage) -> Result:
    """Edges between items whose texts are copies."""
    args = task.args
    counts = {"pairs": 0, "edges": 0}
    name = f"{args['name']}compare/{args['partition']:05d}"
    return Result(write_edges(storage, name, _compared(task, storage, counts), args["partitions"]), counts)


def _compared(task: Task, storage: Storage, counts: dict[str, int]) -> Iterator[NDArray[np.uint64]]:
    paths = [output.path for output in listing(storage, task.args["evidence"]) if output.rows]
    first = task.args["partition"] * FINE
    for piece in range(first, first + FINE) if paths else ():
        table = exchange.read_parts(storage, paths, piece, EVIDENCE)[0]
        if not table.num_rows:
            continue
        sides = exchange.one_batch(table.sort_by([(name, "ascending") for name in ("left", "right", "side")]))
        pairs = np.column_stack([sides.column("left").to_numpy(), sides.column("right").to_numpy()])
        if len(pairs) % 2 or not np.array_equal(pairs[::2], pairs[1::2]):
            raise RuntimeError(f"{task.name}: an open pair has one side only; please report this")
        lists = sides.column("evidence")
        same = _same(
            task, lists.take(pa.array(np.arange(0, len(pairs), 2))), lists.take(pa.array(np.arange(1, len(pairs), 2)))
        )
        counts["pairs"] += len(same)
        counts["edges"] += int(same.sum())
        yield pairs[::2][same]


def _same(task: Task, left: pa.ListArray, right: pa.ListArray) -> NDArray[np.bool_]:
    stage = stage_of(task)
    same = stage.compare(left, right)
    if same.shape != (len(left),):
        raise StageError(f"stage {stage.name}: compare gave {same.shape} answers for {len(left)} pairs")
    return same
