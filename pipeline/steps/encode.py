"""Step `encode`: the kept documents of one part as token ids, partitioned by shuffle cell."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import Encoder, StageContext
from lauter.pipeline.steps.layouts import ENCODED, KEPT, row_numbers
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import opened

ENCODE_BYTES = 4 << 20
"""Text that is encoded at once: with 3 bytes a token and 4 bytes an id, some 20 MB of ids and copies."""


def shuffle_order(doc_id: pa.FixedSizeBinaryArray, seed: int) -> NDArray[np.uint64]:
    """The shuffle hash of each document, uint64: xxh3_64(seed, doc_id), a function of nothing else."""
    return np.fromiter((xxhash.xxh3_64_intdigest(item, seed) for item in doc_id.to_pylist()), np.uint64, len(doc_id))


def run(task: Task, storage: Storage) -> Result:
    """Encode one part."""
    args = task.args
    encoder: Encoder = opened(args["encoder"], StageContext(seed=args["seed"]))
    kept = row_numbers(exchange.read_parts(storage, [args["kept"]["path"]], 0, KEPT)[0])
    with storage.open(args["documents"]["path"]) as source:
        present = pq.read_schema(source).names
    wanted = ["doc_id", "row", "text", *(name for name in ("language", "pii_spans") if name in present)]
    cell_tokens = np.zeros(args["cells"], np.int64)
    path = f"state/encoded/{args['part']}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, ENCODED)
        for group in parquet.batches(storage, args["documents"]["path"], wanted):
            rows = group.filter(pa.array(np.isin(group.column("row").to_numpy(), kept)))
            for batch in cut_by_bytes(rows):
                table = _encoded(encoder, batch, args["seed"])
                cell = exchange.partition_of(table.column("order").to_numpy(), args["cells"])
                np.add.at(cell_tokens, cell, pc.list_value_length(table.column("tokens")).to_numpy())
                sink.write(table, cell)
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    filled = {str(cell): int(cell_tokens[cell]) for cell in np.flatnonzero(cell_tokens)}
    return Result((output,), {"documents": output.rows, "tokens": int(cell_tokens.sum()), "cell_tokens": filled})


def cut_by_bytes(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Runs of rows of about `ENCODE_BYTES` of text; a longer text stands alone."""
    ends = np.cumsum(pc.binary_length(batch.column("text")).to_numpy())
    cuts = np.flatnonzero(np.diff(ends // ENCODE_BYTES, prepend=0)) if len(ends) else np.empty(0, np.int64)
    bounds = [0, *cuts.tolist(), batch.num_rows]
    return [batch.slice(start, end - start) for start, end in itertools.pairwise(bounds) if end > start]


def _encoded(encoder: Encoder, batch: pa.RecordBatch, seed: int) -> pa.Table:
    names = batch.schema.names
    ids = encoder.encode(batch.column("text"), batch.column("pii_spans") if "pii_spans" in names else None)
    return pa.Table.from_arrays(
        [
            pa.array(shuffle_order(batch.column("doc_id"), seed)),
            batch.column("doc_id"),
            batch.column("row"),
            batch.column("language") if "language" in names else pa.nulls(batch.num_rows, pa.string()),
            ids.cast(ENCODED.field("tokens").type),
        ],
        schema=ENCODED,
    )
