"""Step `encode`: the kept documents of one part as token ids, partitioned by shuffle cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import Encoder, StageContext
from lauter.pipeline.steps.choose import LOSERS
from lauter.pipeline.steps.decide import same_rows
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, opened

ENCODED = pa.schema(
    [
        pa.field("order", pa.uint64()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("row", pa.uint32()),
        pa.field("language", pa.string()),
        pa.field("tokens", schema.TOKENS.field("tokens").type),
    ]
)
"""`order` is the shuffle hash: xxh3_64(seed, doc_id). Cell = its range, place in the shard = its rank."""


def shuffle_order(doc_id: pa.FixedSizeBinaryArray, seed: int) -> NDArray[np.uint64]:
    """The shuffle hash of each document, uint64: a function of seed and doc_id alone."""
    return np.fromiter((xxhash.xxh3_64_intdigest(item, seed) for item in doc_id.to_pylist()), np.uint64, len(doc_id))


def kept_rows(storage: Storage, decisions: str, losers: str | None, same: str, ordinal: int) -> NDArray[np.uint32]:
    """Record rows of a part's documents that nothing objects to, ascending."""
    table = parquet.read(storage, decisions, ["row", "reason"])
    rows = table.filter(pc.is_null(table.column("reason"))).column("row").to_numpy()
    dropped = [same_rows(storage, same, ordinal)]
    if losers is not None:
        paths = [output.path for output in listing(storage, losers)]
        dropped.append(exchange.read_parts(storage, paths, ordinal, LOSERS)[0].column("row").to_numpy())
    kept: NDArray[np.uint32] = rows[~np.isin(rows, np.concatenate(dropped))]
    return kept


def run(task: Task, storage: Storage) -> Result:
    """Encode one part."""
    args = task.args
    encoder: Encoder = opened(args["encoder"], StageContext(seed=args["seed"]))
    kept = kept_rows(storage, args["decisions"]["path"], args["losers"], args["same"], args["ordinal"])
    wanted = ["doc_id", "row", "text"]
    with storage.open(args["documents"]["path"]) as source:
        present = pq.read_schema(source).names
    wanted += [name for name in ("language", "pii_spans") if name in present]
    found = []
    tokens = 0
    for batch in parquet.batches(storage, args["documents"]["path"], wanted):
        rows = batch.filter(pa.array(np.isin(batch.column("row").to_numpy(), kept)))
        if not rows.num_rows:
            continue
        ids = encoder.encode(rows.column("text"), rows.column("pii_spans") if "pii_spans" in wanted else None)
        tokens += len(ids.values)
        found.append(
            pa.RecordBatch.from_arrays(
                [
                    pa.array(shuffle_order(rows.column("doc_id"), args["seed"])),
                    rows.column("doc_id"),
                    rows.column("row"),
                    rows.column("language") if "language" in wanted else pa.nulls(rows.num_rows, pa.string()),
                    ids.cast(ENCODED.field("tokens").type),
                ],
                schema=ENCODED,
            )
        )
    table = pa.Table.from_batches(found, ENCODED)
    cell = exchange.partition_of(table.column("order").to_numpy(), args["cells"])
    path = f"state/encoded/{args['part']}.arrow"
    output = exchange.write(storage, path, table, cell, args["cells"])
    counts = np.bincount(cell, weights=pc.list_value_length(table.column("tokens")).to_numpy(), minlength=args["cells"])
    return Result((output,), {"documents": table.num_rows, "tokens": tokens, "cell_tokens": [int(n) for n in counts]})
