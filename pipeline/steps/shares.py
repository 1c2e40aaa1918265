"""Step `shares`: what the parts of a run have of each cell of each stream, added up, and which part has which stream.

`encode` counts in each part, and the borders of a stream's shards depend on all parts: 350,000 files, of which a task a
run reads some. It holds 8 bytes for each cell of each stream of its parts (157 MB for 300 streams of 65,536 cells), one
part's counts, and a run of an exchange file.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import HOLDERS, SHARES
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

Totals = dict[str, NDArray[np.int64]]
"""Stream -> tokens of each cell, shape (cells,)."""


def run(task: Task, storage: Storage) -> Result:
    """Add up the shares of the listing, whose first file is of the part number `first`."""
    args = task.args
    totals: Totals = {}
    numbers: dict[str, int] = {}
    path = f"state/held/{args['number']:05d}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, HOLDERS)
        outputs = listing(storage, args["listing"])
        for part, (output, source) in enumerate(zip(outputs, args["part_source"], strict=True), args["first"]):
            # Each part numbers its streams itself.
            names = read_sums(storage, output.path, totals, args["cells"])
            own = np.arange(len(names))
            held = [np.full(len(names), part), own, np.full(len(names), source)]
            table = pa.Table.from_arrays(
                [
                    pa.array(column.astype(field.type.to_pandas_dtype()))
                    for column, field in zip(held, HOLDERS, strict=True)
                ],
                schema=HOLDERS,
            )
            sink.write(table, np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64))
        sink.close()
        holders = exchange.describe(staged, path, sink.rows)
    return Result((_write(storage, f"state/sums/{args['number']:05d}.arrow", numbers, totals), holders), {})


def read_sums(storage: Storage, path: str, totals: Totals, cells: int) -> list[str]:
    """Add a file of `SHARES` to the totals; returns the streams that it numbers, in order."""
    names: list[str] = []
    with storage.open(path) as source:
        file = pa.ipc.open_file(source)
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            stream, cell = batch.column("stream"), batch.column("cell").to_numpy()
            tokens = batch.column("tokens").to_numpy().astype(np.int64)
            names = names or stream.dictionary.to_pylist()
            # Rows are in order of the stream, and a file has each cell of each stream once.
            present, starts = np.unique(stream.indices.to_numpy(), return_index=True)
            bounds = itertools.pairwise([*starts.tolist(), len(cell)])
            for place, (start, end) in zip(present.tolist(), bounds, strict=True):
                total = totals.setdefault(names[place], np.zeros(cells, np.int64))
                total[cell[start:end]] += tokens[start:end]
    return names


def _write(storage: Storage, path: str, numbers: Mapping[str, int], totals: Totals) -> Output:
    """The totals as `SHARES`, a batch a stream."""
    dictionary = pa.array(list(numbers), pa.string())
    rows = 0
    with storage.staging(path) as staged:
        with pa.ipc.new_file(str(staged), SHARES) as writer:
            for name, number in numbers.items():
                cell = np.flatnonzero(totals[name])
                stream = pa.DictionaryArray.from_arrays(pa.array(np.full(len(cell), number, np.int32)), dictionary)
                columns = [stream, pa.array(cell.astype(np.uint32)), pa.array(totals[name][cell].astype(np.uint64))]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=SHARES))
                rows += len(cell)
        return exchange.describe(staged, path, rows)
