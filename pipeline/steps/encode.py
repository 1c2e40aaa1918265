"""Step `encode`: the kept documents of one part as token ids, sorted by stream and shuffle hash."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import Encoder, StageContext
from lauter.pipeline.cuts import moved, without
from lauter.pipeline.identity import shuffle_order
from lauter.pipeline.marking import MarkingEncoder
from lauter.pipeline.sorted_runs import SortedSink
from lauter.pipeline.steps.layouts import ENCODED, KEPT, SHARES, row_numbers
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.streams import StreamRule
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import opened

ENCODE_BYTES = 4 << 20
"""Text that is encoded at once: with 3 bytes a token and 4 bytes an id, some 20 MB of ids and copies."""


def run(task: Task, storage: Storage) -> Result:
    """Encode one part."""
    args = task.args
    encoder: Encoder = opened(args["encoder"], StageContext(seed=args["seed"]))
    rule = StreamRule.from_json(args["streams"])
    kept = exchange.read_parts(storage, [args["kept"]["path"]], 0, KEPT)[0]
    with storage.open(args["documents"]["path"]) as source:
        present = pq.read_schema(source).names
    # 12 bytes a cut: all that were made in the part.
    cuts = parquet.read(storage, args["cuts"]["path"], ["row", "start", "end"]) if args["cuts"] is not None else None
    wanted = ["doc_id", "row", "text", *(name for name in ("language", "pii_spans", "marks") if name in present)]
    shares = _Shares(args["cells"])
    path = f"state/encoded/{args['part']}.arrow"
    with storage.staging(path) as staged:
        sink = SortedSink(staged, ENCODED)
        for group in parquet.batches(storage, args["documents"]["path"], wanted):
            rows = group.filter(pa.array(np.isin(group.column("row").to_numpy(), row_numbers(kept))))
            for batch in cut_by_bytes(rows):
                sink.write(_encoded(encoder, _shortened(batch, cuts), args["seed"], kept, rule, shares))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    return Result(
        (output, shares.write(storage, f"state/shares/{args['part']}.arrow")),
        {"documents": output.rows, "tokens": shares.total},
    )


def _shortened(batch: pa.RecordBatch, cuts: pa.Table | None) -> pa.RecordBatch:
    """Documents without what was cut of them, and their placeholders where they then stand."""
    rows = batch.column("row").to_numpy()
    if cuts is None or not len(rows):
        return batch
    of = cuts.column("row").to_numpy()
    own = slice(*np.searchsorted(of, [rows[0], int(rows[-1]) + 1]))
    place = np.searchsorted(rows, of[own]).astype(np.int64)
    mine = rows[np.minimum(place, len(rows) - 1)] == of[own]
    start, end = (cuts.column(name).to_numpy()[own][mine].astype(np.int64) for name in ("start", "end"))
    applied = {"text": without, "pii_spans": moved}
    columns = [
        applied[name](column, place[mine], start, end) if name in applied else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def cut_by_bytes(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Runs of rows of about `ENCODE_BYTES` of text; a longer text stands alone."""
    ends = np.cumsum(pc.binary_length(batch.column("text")).to_numpy())
    cuts = np.flatnonzero(np.diff(ends // ENCODE_BYTES, prepend=0)) if len(ends) else np.empty(0, np.int64)
    bounds = [0, *cuts.tolist(), batch.num_rows]
    return [batch.slice(start, end - start) for start, end in itertools.pairwise(bounds) if end > start]


class _Shares:
    """Numbers the streams of a part as they come, and adds up the tokens of their cells."""

    def __init__(self, cells: int) -> None:
        self.total = 0
        self._cells = cells
        self._numbers: dict[str, int] = {}
        self._tokens: dict[int, int] = {}
        """(number of the stream x cells + cell) -> tokens."""

    def add(
        self, names: list[str], index: NDArray[np.int64], order: NDArray[np.uint64], length: NDArray[np.int64]
    ) -> NDArray[np.uint16]:
        """Count documents; returns the number of each one's stream."""
        numbers = np.array([self._numbers.setdefault(name, len(self._numbers)) for name in names], np.int64)
        stream = numbers[index]
        places, inverse = np.unique(
            stream * self._cells + exchange.partition_of(order, self._cells), return_inverse=True
        )
        sums = np.zeros(len(places), np.int64)
        np.add.at(sums, inverse, length)
        for place, count in zip(places.tolist(), sums.tolist(), strict=True):
            self._tokens[place] = self._tokens.get(place, 0) + count
        self.total += int(length.sum())
        return stream.astype(np.uint16)

    def write(self, storage: Storage, path: str) -> Output:
        """Publish the counts."""
        places = np.array(sorted(self._tokens), np.int64)
        stream = pa.DictionaryArray.from_arrays(
            pa.array((places // self._cells).astype(np.int32)), pa.array(list(self._numbers), pa.string())
        )
        tokens = pa.array([self._tokens[place] for place in places.tolist()], pa.uint64())
        batch = pa.RecordBatch.from_arrays(
            [stream, pa.array((places % self._cells).astype(np.uint32)), tokens], schema=SHARES
        )
        with storage.staging(path) as staged:
            with pa.ipc.new_file(str(staged), SHARES) as writer:
                writer.write_batch(batch)
            return exchange.describe(staged, path, batch.num_rows)


def _encoded(
    encoder: Encoder, batch: pa.RecordBatch, seed: int, kept: pa.Table, rule: StreamRule, shares: _Shares
) -> pa.Table:
    names = batch.schema.names
    spans = batch.column("pii_spans") if "pii_spans" in names else None
    if "marks" in names:
        if not isinstance(encoder, MarkingEncoder):
            raise TypeError(f"the encoder {encoder.name} has no `encode_marked`, and there are dialogues")
        ids, loss = encoder.encode_marked(batch.column("text"), spans, batch.column("marks"))
    else:
        ids, loss = encoder.encode(batch.column("text"), spans), pa.nulls(batch.num_rows, schema.LOSS_SPANS.type)
    length = pc.list_value_length(ids).to_numpy().astype(np.int64)
    language = batch.column("language") if "language" in names else pa.nulls(batch.num_rows, pa.string())
    place = np.searchsorted(row_numbers(kept), batch.column("row").to_numpy())
    copies = kept.column("copies").to_numpy()[place]
    order = shuffle_order(batch.column("doc_id"), seed)
    stream = shares.add(*rule.assign(language, length, copies), order, length)
    return pa.Table.from_arrays(
        [
            pa.array(stream),
            pa.array(order),
            batch.column("doc_id"),
            batch.column("row"),
            language,
            pa.array(copies),
            ids.cast(ENCODED.field("tokens").type),
            loss,
        ],
        schema=ENCODED,
    )
