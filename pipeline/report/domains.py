"""How much of a corpus comes from each registered domain: one pass over the ledger, in bounded memory.

Sums are kept in memory up to `HELD` domains; past that they are appended to `PARTITIONS` files by a hash of the name,
and each file is summed alone at the end. Memory: `HELD` domains twice, the domains of one partition, 8 bytes for every
domain of the corpus (to find the size that the largest tenth reaches), and the tenth itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray
from pyarrow import csv

from lauter.pipeline import parquet
from lauter.pipeline.report.hosts import Domains, each
from lauter.pipeline.storage import Output, Storage, digest_file

HELD = 1_000_000
"""Domains summed in memory: about 100 MB as Arrow."""

PARTITIONS = 64
"""A corpus of 360 million domains, all there are, has 6 million in a partition: 0.6 GB."""

SUMS = ("records", "tokens", "characters")
CSV = "report/domains.csv"

SHARE, SHARE_SME, MOST_SME = 10, 20, 1000
"""One domain in ten is listed; of an SME one in twenty, and at most 1,000 (template, section 2.3)."""

SHOWN = 100
"""Domains that the summary itself shows; the whole list is in `report/domains.csv`."""


class DomainSums:
    """Sums by domain. Use as a context manager: it may write temporary files."""

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._spilled: dict[int, pa.RecordBatchFileWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._spilled.values():
            writer.close()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, domain: pa.StringArray, sums: Mapping[str, pa.Array]) -> None:
        """Add rows: their domains (no nulls), shape (n,), and `tokens` and `characters` (int64) of each."""
        ones = pa.array(np.ones(len(domain), np.int64))
        table = _summed(pa.table({"domain": domain, "records": ones, **sums}))
        self._tables.append(table)
        self._rows += table.num_rows
        if self._rows > self._held:
            merged = _summed(pa.concat_tables(self._tables))
            self._tables, self._rows = [merged], merged.num_rows
            # Above half, the next merge would come too soon.
            if self._rows > self._held // 2:
                self._spill(merged)

    def _spill(self, table: pa.Table) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lauter-domains-")
        which = _partition(table.column("domain"))
        for partition in range(PARTITIONS):
            some = table.filter(pa.array(which == partition))
            if some.num_rows:
                path = str(Path(self._folder.name) / str(partition))
                if partition not in self._spilled:
                    self._spilled[partition] = pa.ipc.new_file(path, table.schema)
                self._spilled[partition].write_table(some)
        self._tables, self._rows = [], 0

    def tables(self) -> Iterable[pa.Table]:
        """Every domain once, with its sums, in tables of any order; ends the adding."""
        if self._folder is None:
            return [_summed(pa.concat_tables(self._tables))] if self._tables else []
        if self._tables:
            self._spill(_summed(pa.concat_tables(self._tables)))
        for writer in self._spilled.values():
            writer.close()
        return self._partitions(self._folder.name)

    def _partitions(self, folder: str) -> Iterator[pa.Table]:
        for partition in sorted(self._spilled):
            with pa.memory_map(str(Path(folder) / str(partition))) as source:
                yield _summed(pa.ipc.open_file(source).read_all())


def _summed(table: pa.Table) -> pa.Table:
    grouped = table.group_by("domain", use_threads=False).aggregate([(name, "sum") for name in SUMS])
    return pa.table({"domain": grouped.column("domain"), **{n: grouped.column(f"{n}_sum") for n in SUMS}})


def _partition(domains: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.fromiter(
        (xxhash.xxh3_64_intdigest(domain) % PARTITIONS for domain in domains.to_pylist()), np.int64, len(domains)
    )


@dataclass(frozen=True, slots=True)
class Largest:
    """The domains that must be listed, largest first, and how many there are in all."""

    table: pa.Table
    """`domain`, `records`, `tokens`, `characters`."""
    domains: int
    records: int
    """Records that have a domain."""
    size: str
    """What size is measured in: `characters`, or `tokens` where no stage counts characters."""

    def info(self) -> dict[str, Any]:
        """As plain data, with the first domains only."""
        return {
            "domains": self.domains,
            "records": self.records,
            "listed": self.table.num_rows,
            "size": self.size,
            "first": self.table.slice(0, SHOWN).to_pylist(),
        }


def listed(domains: int, *, sme: bool) -> int:
    """How many domains the template asks for, rounded up.

    >>> listed(11, sme=False), listed(11, sme=True), listed(100_000, sme=True)
    (2, 1, 1000)
    """
    return min(-(-domains // SHARE_SME), MOST_SME) if sme else -(-domains // SHARE)


def largest(sums: DomainSums, *, sme: bool) -> Largest:
    """The largest domains by size of content; equal ones by name."""
    names = ("characters", "tokens")
    sizes: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    records = 0
    for table in sums.tables():
        records += pc.sum(table.column("records")).as_py() or 0
        for name in names:
            sizes[name].append(table.column(name).to_numpy())
    by = "characters" if any(found.any() for found in sizes["characters"]) else "tokens"
    size = np.concatenate(sizes[by]) if records else np.empty(0, np.int64)
    wanted = listed(len(size), sme=sme)
    # Ties at the border are settled by name below.
    least = int(np.partition(size, len(size) - wanted)[len(size) - wanted]) if wanted else 0
    chosen = [table.filter(pc.greater_equal(table.column(by), least)) for table in sums.tables()]
    empty = pa.table({"domain": pa.array([], pa.string()), **{name: pa.array([], pa.int64()) for name in SUMS}})
    table = pa.concat_tables([empty, *chosen]).sort_by([(by, "descending"), ("domain", "ascending")])
    return Largest(table.slice(0, wanted).combine_chunks(), len(size), records, by)


def sum_domains(storage: Storage, ledger: Iterable[str], sources: Collection[str], sums: DomainSums) -> None:
    """Add the kept records of some sources, from the parts of the ledger."""
    domains = Domains()
    wanted = pa.array(sorted(sources), pa.string())
    for path in ledger:
        for batch in parquet.batches(storage, path, ["source", "verdict", "url", "tokens", "chars"]):
            table = pa.Table.from_batches([batch])
            table = table.filter(
                pc.and_(
                    pc.equal(table.column("verdict").cast(pa.string()), "kept"),
                    pc.is_in(table.column("source").cast(pa.string()), wanted),
                )
            )
            domain = each(table.column("url"), domains.of_url)
            known = domain.is_valid()
            numbers = {"tokens": table.column("tokens"), "characters": table.column("chars")}
            sums.add(
                domain.filter(known),
                {name: pc.fill_null(column.cast(pa.int64()), 0).filter(known) for name, column in numbers.items()},
            )


def write_domains(storage: Storage, found: Largest) -> Output:
    """Write `report/domains.csv`: a header, then one domain a line, largest first."""
    with storage.staging(CSV) as staged:
        csv.write_csv(found.table, staged, csv.WriteOptions(quoting_style="needed"))
        digest, size = digest_file(staged), staged.stat().st_size
    return Output(CSV, size, digest, found.table.num_rows)
