"""Step `pack`: one token shard, shuffled within the stream, and the place that each document got in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.steps.layouts import ENCODED, POSITIONS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def run(task: Task, storage: Storage) -> Result:
    """Write the documents of a run of cells, ordered by shuffle hash (ties by doc_id), whole documents only."""
    args = task.args
    paths = [output.path for output in listing(storage, args["listing"])]
    sources: list[str] = args["sources"]
    metadata = {
        b"lauter.tokenizer": args["tokenizer_digest"].encode(),
        b"lauter.stream": args["stream"].encode(),
        b"lauter.layout_id": args["layout_id"].encode(),
    }
    shard_schema = schema.TOKENS.with_metadata(metadata)
    shard_path = f"tokens/{args['stream']}/{args['shard']:05d}.parquet"
    positions: list[pa.Table] = []
    parts: list[NDArray[Any]] = [np.empty(0, np.int64)]
    rows = tokens = 0
    with storage.staging(shard_path) as staged:
        # Row groups are cut by tokens here, never by the sink.
        sink = parquet.ParquetSink(staged, shard_schema, row_group_bytes=1 << 62)
        pending = 0
        for first, end in args["cell_groups"]:
            # Sorting some cells together is sorting each: a cell is a range of the hash.
            table, part = exchange.read_parts(storage, paths, first, ENCODED, end)
            table = table.append_column("part", pa.array(part))
            table = table.sort_by([(name, "ascending") for name in ("order", "doc_id")]).combine_chunks()
            part = table.column("part").to_numpy().astype(np.int64)
            lengths = pc.list_value_length(table.column("tokens")).to_numpy()
            batch = _shard_rows(table, part, sources, args["part_source"], shard_schema)
            start = 0
            for cut in (
                np.flatnonzero(np.diff((pending + np.cumsum(lengths)) // args["tokens_per_row_group"], prepend=0)) + 1
            ):
                sink.write(batch.slice(start, int(cut) - start))
                sink.cut()
                start = int(cut)
            sink.write(batch.slice(start))
            pending = int((pending + lengths.sum()) % args["tokens_per_row_group"])
            positions.append(
                pa.Table.from_arrays(
                    [
                        table.column("row"),
                        pa.array(np.full(table.num_rows, args["shard"], np.int32)),
                        pa.array(np.arange(rows, rows + table.num_rows, dtype=np.int64)),
                        pa.array(lengths.astype(np.int32)),
                    ],
                    schema=POSITIONS,
                )
            )
            parts.append(part)
            rows += table.num_rows
            tokens += int(lengths.sum())
        sink.close()
        shard = parquet.describe(staged, shard_path)
    place = exchange.write(
        storage,
        f"state/positions/{args['shard']:05d}.arrow",
        pa.concat_tables(positions),
        np.concatenate(parts),
    )
    return Result((shard, place), {"documents": rows, "tokens": tokens})


def _shard_rows(
    table: pa.Table,
    part: NDArray[Any],
    sources: list[str],
    part_source: list[int],
    shard_schema: pa.Schema,
) -> pa.RecordBatch:
    source_index = np.array(part_source, np.int32)[part]
    source = pa.DictionaryArray.from_arrays(pa.array(source_index), pa.array(sources, pa.string()))
    lengths = pc.list_value_length(table.column("tokens"))
    return exchange.one_batch(
        pa.Table.from_arrays(
            [
                table.column("doc_id"),
                source,
                table.column("language").dictionary_encode().cast(shard_schema.field("language").type),
                lengths.cast(pa.int32()),
                table.column("tokens"),
                pa.array(np.zeros(table.num_rows, np.bool_)),
            ],
            schema=shard_schema,
        ).combine_chunks()
    )
