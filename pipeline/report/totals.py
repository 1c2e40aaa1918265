"""The tallies of all parts for one range of names, added up: what is left of them is small, but for the domains."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline import parquet
from lauter.pipeline.proof.tree import shape_of
from lauter.pipeline.report.evidence import TOP
from lauter.pipeline.report.summary import summary_of
from lauter.pipeline.report.tallies import COLUMNS, KEYS, RANGES, Sums, TallySink, ledger_tallies, range_tallies
from lauter.pipeline.steps.layouts import DOMAINS, TALLIES
from lauter.pipeline.storage import Storage

RULES = 10_000
"""Combinations of source, stage, reason, signal and agent of one range that are kept; past that the rarest are let go.
Policies name a few dozen signals and agents; a stage of somebody's own may name anything."""

HOSTS = ("host", "ruled-host")


def ranges_for(rows: int) -> int:
    """Into how many ranges the names of a ledger of so many rows go.

    >>> [ranges_for(rows) for rows in (0, 1 << 20, 1 + (1 << 20), 30_000_000_000)]
    [1, 1, 2, 256]
    """
    return min(shape_of(rows).groups, RANGES)


def range_total(tallies: Iterable[pa.Table], crawled: Collection[str]) -> pa.Table:
    """The sums of one range, every key once. Of domains those of `crawled` sources are taken, as if they were one."""
    sums, names = Sums(), pa.array(sorted(crawled), pa.string())
    none = TALLIES.field("source")
    for table in tallies:
        is_domain = pc.equal(table.column("of"), "domain")
        sums.add(table.filter(pc.invert(is_domain)))
        domains = table.filter(pc.and_(is_domain, pc.is_in(table.column("source"), names)))
        sums.add(domains.set_column(1, none, pa.nulls(domains.num_rows, none.type)))
    return sums.table()


def domains_of(total: pa.Table) -> pa.Table:
    """The domains of a range, of the layout `DOMAINS`."""
    table = total.filter(pc.equal(total.column("of"), "domain"))
    return table.select(["name", "records", "tokens", "chars"]).rename_columns(DOMAINS.names)


def counts_of(total: pa.Table) -> pa.Table:
    """All else of a range, the hosts and rules cut to those that a report may show."""
    rules = total.filter(pc.equal(total.column("of"), "rule"))
    order = [("records", "descending"), *((name, "ascending") for name in KEYS)]
    found = [rules.sort_by(order).slice(0, RULES) if rules.num_rows > RULES else rules]
    hosts = total.filter(pc.is_in(total.column("of"), pa.array(HOSTS)))
    by = ["of", "verdict", "stage"]
    for kind in hosts.select(by).group_by(by, use_threads=False).aggregate([]).to_pylist():
        some = hosts
        for name, value in kind.items():
            column = some.column(name)
            some = some.filter(pc.is_null(column) if value is None else pc.equal(column, value))
        # Of equal ones the first by name: a host is in one range only, so this is also the order over all ranges.
        found.append(some.take(pc.select_k_unstable(some, TOP, [("records", "descending"), ("name", "ascending")])))
    others = pc.is_in(total.column("of"), pa.array(["rule", "domain", *HOSTS]))
    return pa.concat_tables([total.filter(pc.invert(others)), *found])


def summarise(storage: Storage, ledger: Sequence[str]) -> dict[str, Any]:
    """`summary_of` the parts of a ledger, read here and now, for what has no build at hand.

    Tallies lie in temporary files (`TMPDIR`), some 100 bytes for each host of each part.
    """
    rows = 0
    for path in ledger:
        with storage.open(path) as source:
            rows += pq.read_metadata(source).num_rows
    ranges = ranges_for(rows)
    with tempfile.TemporaryDirectory(prefix="lauter-tallies-") as folder:
        sink = TallySink(Path(folder) / "tallies.arrow", ranges)
        for path in ledger:
            for batch in parquet.batches(storage, path, list(COLUMNS)):
                for table in ledger_tallies(pa.Table.from_batches([batch])):
                    sink.add(table)
        sink.close()
        local = Storage(folder)
        totals = [
            counts_of(range_total(range_tallies(local, ["tallies.arrow"], number), ())) for number in range(ranges)
        ]
    return summary_of(pa.concat_tables(totals).to_pylist())
