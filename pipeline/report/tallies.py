"""Sums over the ledger by equal values, as rows that can be added up in any order and any number of times.

A part's rows are tallied where they lie, the tallies go to ranges of their names' hashes, and each range is summed
alone. So every count is exact, and nobody holds more than the names of one range. What is counted stands in `of`:

    group       records, tokens, characters and times by source, verdict, stage, reason and language (`name`)
    rule        records that a rule ended, by source, stage, reason, signal (`name`) and agent (`more`)
    basis       records of which an origin is known, by outcome (`name`), `more` that says how, and whether they are
                kept (`verdict`); the times are those of the files that are the evidence
    host        records by host (`name`), kept ones and others (`verdict`)
    ruled-host  records that a rule ended, by stage and host (`name`)
    domain      kept records, tokens and characters by source and registered domain (`name`)
    code        documents with scores by source, column (`name`) and code (`more`); see `report.codes`
    pii         personal data removed (`records`) from the kept documents of a source whose scores count it, by type
                (`name`); a row without a name says that it was looked for
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.report.hosts import Domains, each, host
from lauter.pipeline.steps.layouts import TALLIES
from lauter.pipeline.storage import Storage

HELD = 1_000_000
"""Rows that are summed in memory at a time: about 150 MB."""

RANGES = 256
"""Ranges of names at most. A corpus of 360 million domains, all there are, has 1.4 million in one, and hosts besides:
about 1 GB."""

KEYS = ("of", "source", "verdict", "stage", "reason", "name", "more")
SUMS = ("records", "tokens", "chars")

UNPLACED = "takedown (not kept)"
"""The stage in whose name removed records are counted that had no place in a shard: how they had ended is forgotten."""

COLUMNS = (
    *("source", "verdict", "stage", "reason", "language"),
    *("tokens", "chars", "fetched_at", "url", "shard", "rule", "basis"),
)
"""Columns of the ledger that are looked at."""


def ledger_tallies(table: pa.Table) -> Iterator[pa.Table]:
    """All but `domain` and `pii` of some rows of the ledger (`COLUMNS`)."""
    text = {name: table.column(name).cast(pa.string()) for name in COLUMNS[:5]}
    kept = pc.equal(text["verdict"], "kept")
    unplaced = pc.and_(pc.equal(text["verdict"], "removed"), pc.is_null(table.column("shard")))
    stage = pc.if_else(unplaced, UNPLACED, text["stage"])
    yield _tally(
        "group",
        {**{name: text[name] for name in ("source", "verdict", "reason")}, "stage": stage, "name": text["language"]},
        {
            # What was removed keeps its place in the shards as padding, and is no text of the corpus.
            "tokens": pc.if_else(kept, table.column("tokens").cast(pa.int64()), 0),
            "chars": table.column("chars").cast(pa.int64()),
        },
        table.column("fetched_at"),
    )
    rule = table.column("rule")
    ruled = pc.and_(pc.is_valid(rule), pc.invert(kept))
    parts = {"name": pc.struct_field(rule, "signal"), "more": pc.struct_field(rule, "agent")}
    by_rule = pa.table({**{name: text[name] for name in ("source", "stage", "reason")}, **parts}).filter(ruled)
    yield _tally("rule", _columns(by_rule))
    basis = table.column("basis")
    verdict = pc.if_else(kept, "kept", pa.scalar(None, pa.string()))
    parts = {"name": pc.struct_field(basis, "outcome"), "more": pc.struct_field(basis, "via")}
    fetched = pc.struct_field(basis, "fetched_at")
    known = pa.table({"verdict": verdict, **parts, "fetched": fetched}).filter(pc.is_valid(basis))
    yield _tally("basis", _columns(known.drop_columns("fetched")), times=known.column("fetched"))
    names = each(table.column("url"), host)
    named = names.is_valid()
    hosts = pa.table({"verdict": verdict, "name": names}).filter(named)
    yield _tally("host", _columns(hosts))
    told = pc.and_(pc.and_(ruled, named), pc.is_valid(stage))
    yield _tally("ruled-host", _columns(pa.table({"stage": stage, "name": names}).filter(told)))


def domain_tallies(table: pa.Table, domains: Domains) -> pa.Table:
    """`domain` of some rows of the ledger (`COLUMNS`)."""
    table = table.filter(pc.equal(table.column("verdict").cast(pa.string()), "kept"))
    names = each(table.column("url"), domains.of_url)
    keys = {"source": table.column("source").cast(pa.string()), "name": names}
    sums = {name: table.column(name).cast(pa.int64()) for name in ("tokens", "chars")}
    some = pa.table({**keys, **sums}).filter(names.is_valid())
    return _tally("domain", _columns(some.select(list(keys))), _columns(some.select(list(sums))))


def pii_tally(source: str, removed: Mapping[str, int]) -> pa.Table:
    """`pii`, of one source: type -> how often it was removed."""
    none = {**dict.fromkeys(TALLIES.names), "of": "pii", "source": source, "records": 0, "tokens": 0, "chars": 0}
    rows = [none | {"name": kind, "records": count} for kind, count in sorted(removed.items())]
    return pa.Table.from_pylist([none, *rows], TALLIES)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _tally(
    of: str,
    keys: Mapping[str, pa.ChunkedArray],
    sums: Mapping[str, pa.ChunkedArray] | None = None,
    times: pa.ChunkedArray | None = None,
) -> pa.Table:
    """Rows of equal keys as one row of the layout `TALLIES`."""
    rows = len(next(iter(keys.values())))
    time = TALLIES.field("first").type
    none = pa.nulls(rows, time) if times is None else times.cast(time)
    numbers = {
        "records": pa.array(np.ones(rows, np.int64)),
        "tokens": pa.array(np.zeros(rows, np.int64)),
        "chars": pa.array(np.zeros(rows, np.int64)),
        **(sums or {}),
    }
    table = pa.table({**keys, **numbers, "first": none, "last": none})
    return _widened(of, _grouped(table, list(keys)))


def _grouped(table: pa.Table, keys: list[str]) -> pa.Table:
    # In one thread, groups come in the order in which they are first met.
    sums = [(name, "sum") for name in SUMS]
    found = table.group_by(keys, use_threads=False).aggregate([*sums, ("first", "min"), ("last", "max")])
    return pa.table(
        {
            **{name: found.column(name) for name in keys},
            **{name: pc.fill_null(found.column(f"{name}_sum"), 0) for name in SUMS},
            "first": found.column("first_min"),
            "last": found.column("last_max"),
        }
    )


def _widened(of: str, table: pa.Table) -> pa.Table:
    rows = table.num_rows
    columns = [
        pa.array([of] * rows, pa.string())
        if field.name == "of"
        else table.column(field.name)
        if field.name in table.column_names
        else pa.nulls(rows, field.type)
        for field in TALLIES
    ]
    return pa.Table.from_arrays(columns, schema=TALLIES)


class Sums:
    """Adds up tallies; `table` has every key once. Holds the sums twice, and `held` rows besides."""

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._tables: list[pa.Table] = [TALLIES.empty_table()]
        self._pending = 0

    def add(self, table: pa.Table) -> int:
        """Add rows of the layout `TALLIES`; returns how many rows are summed so far."""
        self._tables.append(table)
        self._pending += table.num_rows
        # As many again as there are sums, so that each row is summed a few times only.
        if self._pending > max(self._held, self._tables[0].num_rows):
            self.table()
        return int(self._tables[0].num_rows)

    def table(self) -> pa.Table:
        """The sums so far, in the order in which keys were first met."""
        if self._pending:
            merged = _grouped(pa.concat_tables(self._tables), list(KEYS)).select(TALLIES.names).cast(TALLIES)
            self._tables, self._pending = [merged], 0
        return self._tables[0]


class TallySink:
    """Writes tallies by ranges of their names' hashes. A key may come more than once, where there are many."""

    def __init__(self, path: Path, ranges: int, held: int = HELD) -> None:
        self._sink = exchange.PartitionedSink(path, TALLIES)
        self._ranges, self._held = ranges, held
        self._sums = Sums(held)

    @property
    def rows(self) -> int:
        """Rows that were written."""
        return self._sink.rows

    def add(self, table: pa.Table) -> None:
        """Add rows of the layout `TALLIES`."""
        # Above half, the next sum would come too soon.
        if self._sums.add(table) > self._held // 2:
            self._write()

    def close(self) -> None:
        """Write what is held, and the index."""
        self._write()
        self._sink.close()

    def _write(self) -> None:
        table = self._sums.table()
        self._sink.write(table, range_of(table.column("name"), self._ranges))
        self._sums = Sums(self._held)


def range_of(names: pa.ChunkedArray, ranges: int) -> NDArray[np.int64]:
    """The range of each name, by its hash (xxh3, 64 bits); a null has that of no text."""
    if ranges == 1:
        return np.zeros(len(names), np.int64)
    encoded = pc.fill_null(names, "").combine_chunks().dictionary_encode()
    hashes = np.fromiter(map(xxhash.xxh3_64_intdigest, encoded.dictionary.to_pylist()), np.uint64)
    return exchange.partition_of(hashes[encoded.indices.to_numpy()], ranges)


def range_tallies(storage: Storage, paths: Sequence[str], number: int) -> Iterator[pa.Table]:
    """What the parts left for one range, in pieces."""
    for path in paths:
        for batch in exchange.read(storage, path, number, TALLIES):
            yield pa.Table.from_batches([batch])
