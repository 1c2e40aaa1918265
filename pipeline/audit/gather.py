"""Kept ledger rows of all parts, gathered by host: a verifier meets every host once, whatever part its pages are in.

Each part becomes two exchange files, of its kept rows and of their raw signals, partitioned by a hash of the URL's
origin. That hash decides where a row is checked, never how; all spellings of one origin lie together, so that origins
can be counted range by range.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.origin import normalise
from lauter.pipeline.storage import Storage, StorageError

KEPT = pa.schema(
    [
        schema.LEDGER.field("doc_id"),
        schema.LEDGER.field("url"),
        pa.field("fetched_at", pa.timestamp("ms", tz="UTC")),
        pa.field("place", pa.uint32(), nullable=False),
    ]
)
"""Columns of a kept row that verifiers see; `place` is its row in its ledger part."""

_READ = ("doc_id", "url", "fetched_at", "verdict")
_SITE = "^(?P<site>[^/]*//[^/?#]*)"


class Gathered(NamedTuple):
    """The files of one part, in a local folder."""

    rows: str
    signals: str
    kept: int
    problem: str | None = None
    """Why rows are missing in them."""


class Batch(NamedTuple):
    """Kept rows in the order of their URLs, and their signals with `row` counting in the batch."""

    ledger: pa.RecordBatch
    signals: pa.RecordBatch
    place: NDArray[np.uint64]
    """Part and row of each: `exchange.node`."""


def gather(storage: Storage, ledger: str, signals: str, folder: str, name: str, ranges: int) -> Gathered:
    """Write the kept rows of a ledger part, and their signals, into a local folder, by range of hosts.

    Memory: one row group of each file, and the runs of `exchange`.
    """
    found = Gathered(f"{name}.rows", f"{name}.signals", 0)
    rows = exchange.PartitionedSink(Path(folder) / found.rows, KEPT)
    said = exchange.PartitionedSink(Path(folder) / found.signals, schema.SIGNAL)
    try:
        _write(storage, ledger, signals, (rows, said), ranges)
    except (pa.ArrowException, StorageError) as error:
        found = found._replace(problem=f"{ledger}: its kept rows cannot be derived again: {error}")
    for sink in (rows, said):
        sink.close()
    return found._replace(kept=rows.rows)


def _write(
    storage: Storage,
    ledger: str,
    signals: str,
    sinks: tuple[exchange.PartitionedSink, exchange.PartitionedSink],
    ranges: int,
) -> None:
    held = _Signals(storage, signals)
    first = 0
    for batch in parquet.batches(storage, ledger, _READ):
        verdict = batch.column("verdict").cast(pa.string())
        kept = np.flatnonzero(pc.equal(verdict, "kept").to_numpy(zero_copy_only=False))
        table = pa.Table.from_batches([batch]).select(KEPT.names[:3]).take(pa.array(kept))
        table = table.append_column(KEPT.field("place"), pa.array((first + kept).astype(np.uint32)))
        where = np.full(batch.num_rows, -1, np.int64)
        where[kept] = exchange.partition_of(_hosts(table.column("url")), ranges)
        sinks[0].write(table.cast(KEPT), where[kept])
        spoken = held.take(first, first + batch.num_rows)
        at = where[spoken.column("row").to_numpy().astype(np.int64) - first]
        sinks[1].write(spoken.filter(pa.array(at >= 0)), at[at >= 0])
        first += batch.num_rows


def _hosts(urls: pa.ChunkedArray) -> NDArray[np.uint64]:
    """A hash of the origin of each URL, or of what stands before its path where there is none."""
    site = pc.struct_field(pc.extract_regex(pc.fill_null(urls, ""), _SITE), "site")
    coded = exchange.one_chunk(pc.fill_null(site, "")).dictionary_encode()
    names = coded.dictionary.cast(pa.binary()).to_pylist()
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(_origin(name)) for name in names), np.uint64, len(names))
    found: NDArray[np.uint64] = hashes[coded.indices.to_numpy()]
    return found


def _origin(site: bytes) -> bytes:
    origin = normalise(site.decode("utf-8", "surrogateescape"))
    return site if origin is None else origin.encode("utf-8", "surrogateescape")


class _Signals:
    """The rows of a part's signals file, taken in step with its ledger."""

    def __init__(self, storage: Storage, path: str) -> None:
        present = storage.size(path) is not None
        self._batches: Iterator[pa.RecordBatch] = parquet.batches(storage, path) if present else iter(())
        self._held = schema.SIGNAL.empty_table()

    def take(self, first: int, end: int) -> pa.Table:
        """The signals of ledger rows [first, end)."""
        while not self._held.num_rows or self._held.column("row")[-1].as_py() < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch]).cast(schema.SIGNAL)])
        row = self._held.column("row")
        taken = self._held.filter(pc.and_(pc.greater_equal(row, first), pc.less(row, end)))
        self._held = self._held.filter(pc.greater_equal(row, end))
        return taken


def gathered_batches(folder: str, parts: list[Gathered], number: int, batch_rows: int) -> Iterator[Batch]:
    """The rows of one range of hosts, of all parts; batches are cut between parts, at `batch_rows` rows or more."""
    local = Storage(folder)
    held: list[tuple[pa.Table, pa.Table]] = []
    place: list[NDArray[np.uint64]] = []
    size = 0
    for part, item in enumerate(parts):
        rows = pa.Table.from_batches(exchange.read(local, item.rows, number, KEPT), KEPT)
        said = pa.Table.from_batches(exchange.read(local, item.signals, number, schema.SIGNAL), schema.SIGNAL)
        spoken = np.searchsorted(rows.column("place").to_numpy(), said.column("row").to_numpy()) + size
        said = said.set_column(1, schema.SIGNAL.field("row"), pa.array(spoken.astype(np.uint32)))
        held.append((rows, said))
        place.append(exchange.node(part, rows.column("place").to_numpy().astype(np.uint64)))
        size += rows.num_rows
        if size and (size >= batch_rows or part == len(parts) - 1):
            yield _sorted(held, np.concatenate(place))
            held, place, size = [], [], 0


def _sorted(held: list[tuple[pa.Table, pa.Table]], place: NDArray[np.uint64]) -> Batch:
    rows = pa.concat_tables([table for table, _ in held]).select(KEPT.names[:3])
    said = pa.concat_tables([table for _, table in held])
    order = pc.sort_indices(rows.column("url")).to_numpy().astype(np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    row = rank[said.column("row").to_numpy()]
    said = said.set_column(1, schema.SIGNAL.field("row"), pa.array(row.astype(np.uint32)))
    said = said.take(pa.array(np.argsort(row, kind="stable")))
    return Batch(exchange.one_batch(rows.take(pa.array(order))), exchange.one_batch(said), place[order])
