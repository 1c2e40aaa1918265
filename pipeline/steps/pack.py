"""Step `pack`: one token shard, shuffled within its stream, and the place that each document got in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.control_ids import control_ids
from lauter.pipeline.sorted_runs import read_range
from lauter.pipeline.steps.layouts import ENCODED, HOLDERS, POSITIONS
from lauter.pipeline.steps.unrepeated import unrepeated
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def run(task: Task, storage: Storage) -> Result:
    """Write the documents of a run of cells, ordered by shuffle hash (ties by doc_id), whole documents only.

    Where repeats are to go, they are looked for in each run of cells that is sorted together.
    """
    args = task.args
    holders = _Holders(task, storage)
    metadata = {
        b"lauter.tokenizer": args["tokenizer_digest"].encode(),
        b"lauter.stream": args["stream"].encode(),
        b"lauter.layout_id": args["layout_id"].encode(),
    }
    shard_schema = (schema.DIALOGUE_TOKENS if args["dialogues"] else schema.TOKENS).with_metadata(metadata)
    shard_path = f"tokens/{args['stream']}/{args['shard']:05d}.parquet"
    positions: list[pa.Table] = []
    parts: list[NDArray[Any]] = [np.empty(0, np.int64)]
    rows = tokens = removed = touched = 0
    control = control_ids(storage) if args["repeats"] is not None else np.empty(0, np.uint32)
    with storage.staging(shard_path) as staged:
        # Row groups are cut by tokens here, never by the sink.
        sink = parquet.ParquetSink(staged, shard_schema, row_group_bytes=1 << 62)
        pending = 0
        for first, end in args["cell_groups"]:
            # Sorting some cells together is sorting each: a cell is a range of the hash.
            table, part, source = holders.read((first, end))
            table = table.append_column("part", pa.array(part)).append_column("source", pa.array(source))
            table = table.sort_by([(name, "ascending") for name in ("order", "doc_id")]).combine_chunks()
            if args["repeats"] is not None and table.num_rows:
                planted = np.isin(table.column("source").to_numpy(), args["planted"])
                table, lost, gone = unrepeated(table, args["repeats"], control, planted)
                touched, removed = touched + lost, removed + gone
            lengths = pc.list_value_length(table.column("tokens")).to_numpy()
            batch = _shard_rows(table, args["sources"], shard_schema)
            start = 0
            for cut in (
                np.flatnonzero(np.diff((pending + np.cumsum(lengths)) // args["tokens_per_row_group"], prepend=0)) + 1
            ):
                sink.write(batch.slice(start, int(cut) - start))
                sink.cut()
                start = int(cut)
            sink.write(batch.slice(start))
            pending = int((pending + lengths.sum()) % args["tokens_per_row_group"])
            positions.append(_places(table, lengths, args, rows))
            parts.append(table.column("part").to_numpy())
            rows += table.num_rows
            tokens += int(lengths.sum())
        sink.close()
        shard = parquet.describe(staged, shard_path)
    place = exchange.write(
        storage,
        f"state/positions/{args['stream']}/{args['shard']:05d}.arrow",
        pa.concat_tables(positions),
        np.concatenate(parts),
    )
    counts = {"repeats": {"documents": touched, "removed": removed}} if args["repeats"] is not None else {}
    return Result((shard, place), {"documents": rows, "tokens": tokens, **counts})


class _Holders:
    """The parts that have documents of the stream: only their files are opened."""

    def __init__(self, task: Task, storage: Storage) -> None:
        self._storage = storage
        self._paths = [output.path for output in listing(storage, task.args["listing"])]
        self._of = task.args["cells"]
        table, _ = exchange.read_parts(storage, [task.args["holders"]["path"]], task.args["number"], HOLDERS)
        self._holders: list[tuple[int, int, int]] = list(
            zip(*(table.column(field.name).to_pylist() for field in HOLDERS), strict=True)
        )

    def read(self, cells: tuple[int, int]) -> tuple[pa.Table, NDArray[np.int64], NDArray[np.int32]]:
        """The stream's documents in a run of cells, with the part and the source of each."""
        batches: list[pa.RecordBatch] = []
        parts, sources = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for part, stream, source in self._holders:
            for batch in read_range(self._storage, self._paths[part], stream, cells, self._of, ENCODED):
                batches.append(batch)
                parts.append(np.full(batch.num_rows, part, np.int64))
                sources.append(np.full(batch.num_rows, source, np.int32))
        return pa.Table.from_batches(batches, ENCODED), np.concatenate(parts), np.concatenate(sources)


def _shard_rows(table: pa.Table, sources: Sequence[str], shard_schema: pa.Schema) -> pa.RecordBatch:
    source = pa.DictionaryArray.from_arrays(exchange.one_chunk(table.column("source")), pa.array(sources, pa.string()))
    lengths = pc.list_value_length(table.column("tokens"))
    columns = [
        table.column("doc_id"),
        source,
        table.column("language").dictionary_encode().cast(shard_schema.field("language").type),
        lengths.cast(pa.int32()),
        table.column("copies"),
        table.column("tokens"),
        pa.array(np.zeros(table.num_rows, np.bool_)),
    ]
    if schema.LOSS_SPANS.name in shard_schema.names:
        columns.append(table.column(schema.LOSS_SPANS.name))
    return exchange.one_batch(pa.Table.from_arrays(columns, schema=shard_schema).combine_chunks())


def _places(table: pa.Table, lengths: NDArray[np.int32], args: Mapping[str, Any], first: int) -> pa.Table:
    count = table.num_rows
    return pa.Table.from_arrays(
        [
            table.column("row"),
            pa.array(np.full(count, args["number"], np.uint32)),
            pa.array(np.full(count, args["shard"], np.int32)),
            pa.array(np.arange(first, first + count, dtype=np.int64)),
            pa.array(lengths.astype(np.int32)),
        ],
        schema=POSITIONS,
    )
