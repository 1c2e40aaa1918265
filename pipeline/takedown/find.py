"""Which ledger rows the demands hit: one pass, a row group at a time, and about 40 bytes a hit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline.origin import normalise
from lauter.pipeline.proof.leaves import ledger_batches, row_keys
from lauter.pipeline.report.hosts import each
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.blank import REMOVED
from lauter.pipeline.takedown.demands import ANY_SUBDOMAIN, Demand, digest_of_host

COLUMNS = ["doc_id", "url", "verdict", "stream", "shard", "row"]
HOSTS_HELD = 1 << 16
"""Hosts whose answer is remembered: a part of a crawl has fewer."""

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PartHits:
    """The rows of one part that are to be removed."""

    part: str
    rows: Indexes
    """Row numbers in the part's ledger, rising, shape (n,)."""
    demand: Indexes
    """Index of the first demand that hits each row, shape (n,)."""
    doc_id: pa.FixedSizeBinaryArray
    verdicts: Mapping[str, int]
    """How many of them had which verdict."""
    places: Mapping[tuple[str, int], Indexes]
    """(stream, shard) -> rows of that shard, rising."""

    def digest(self, kinds: Sequence[str]) -> str:
        """SHA-256 over the rows and the kinds of their demands: what the part's masked files depend on."""
        digest = hashlib.sha256(self.rows.astype("<i8").tobytes())
        digest.update("\0".join(kinds[index] for index in self.demand.tolist()).encode())
        return digest.hexdigest()


@dataclass
class Found:
    """What the demands hit in a whole ledger."""

    parts: list[PartHits] = field(default_factory=list)
    by_demand: Counter[int] = field(default_factory=Counter)
    """Index of a demand -> rows that it hits, whether another one hits them too."""
    near: Counter[int] = field(default_factory=Counter)
    """Index of a near spelling -> rows that it would hit, and that no demand hits or has hit before."""

    def verdicts(self) -> dict[str, int]:
        """Rows hit, by the verdict that they had."""
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.verdicts)
        return dict(sorted(total.items()))

    def shards(self) -> dict[tuple[str, int], Indexes]:
        """(stream, shard) -> rows to blank, over all parts."""
        gathered: dict[tuple[str, int], list[Indexes]] = {}
        for part in self.parts:
            for place, rows in part.places.items():
                gathered.setdefault(place, []).append(rows)
        return {place: np.sort(np.concatenate(rows)) for place, rows in sorted(gathered.items())}


class Matcher:
    """Demands, ready to be looked up for many rows at once."""

    def __init__(self, demands: Sequence[Demand]) -> None:
        self.demands = demands
        by_kind: dict[str, dict[bytes, int]] = {"url": {}, "host": {}, "doc-id": {}, "copy": {}}
        for index, item in enumerate(demands):
            by_kind[item.kind].setdefault(bytes.fromhex(item.value), index)
        self._urls, self._hosts = by_kind["url"], by_kind["host"]
        self._ids = [by_kind["doc-id"], by_kind["copy"]]
        self._of_host = lru_cache(maxsize=HOSTS_HELD)(self._host_hits)

    def hits(self, batch: pa.RecordBatch) -> tuple[Indexes, Indexes]:
        """(row in the batch, index of a demand) of every hit, shapes (m,); a row may have several.

        `batch` has the columns `url` and `doc_id`.
        """
        pairs: list[tuple[int, int]] = []
        if self._urls:
            pairs += _lookup(row_keys(batch), self._urls)
        for ids in self._ids:
            if ids:
                pairs += _lookup(_id_bytes(batch.column("doc_id")), ids)
        if self._hosts:
            origins = each(pa.chunked_array([batch.column("url")]), normalise).to_pylist()
            pairs += [(row, index) for row, origin in enumerate(origins) if origin for index in self._of_host(origin)]
        found = np.array(pairs, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def first(self, batch: pa.RecordBatch) -> Indexes:
        """Index of the first demand that hits each row, -1 where there is none; shape (n,)."""
        return first_of(*self.hits(batch), batch.num_rows)

    def _host_hits(self, origin: str) -> tuple[int, ...]:
        host = host_of(origin)
        names = [host, ANY_SUBDOMAIN + host]
        if not host.startswith("["):
            labels = host.split(".")
            names += [ANY_SUBDOMAIN + ".".join(labels[start:]) for start in range(1, len(labels))]
        found = (self._hosts.get(bytes.fromhex(digest_of_host(name))) for name in names)
        return tuple(index for index in found if index is not None)


def first_of(rows: Indexes, demands: Indexes, count: int) -> Indexes:
    """The smallest demand of each of `count` rows, -1 where there is none."""
    none = np.iinfo(np.int64).max
    first = np.full(count, none, np.int64)
    np.minimum.at(first, rows, demands)
    first[first == none] = -1
    return first


def host_of(origin: str) -> str:
    """The host of a normalised origin, an IPv6 address in its brackets."""
    host = origin.partition("://")[2]
    return host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]


def find(storage: Storage, parts: Iterable[str], demands: Sequence[Demand], near: Sequence[Demand] = ()) -> Found:
    """Look every row of the ledger up; what stands under the spellings `near` is counted in the same pass only."""
    found = Found()
    matcher = Matcher([*demands, *near])
    for part in parts:
        hits = _find_in(storage, part, matcher, len(demands), found)
        if hits is not None:
            found.parts.append(hits)
    return found


def _find_in(storage: Storage, part: str, matcher: Matcher, demands: int, found: Found) -> PartHits | None:
    """`demands`: how many of the matcher's are demands, and no near spellings."""
    tables: list[pa.Table] = []
    rows: list[Indexes] = []
    firsts: list[Indexes] = []
    start = 0
    for batch in ledger_batches(storage, f"ledger/{part}.parquet", COLUMNS):
        hit, demand = matcher.hits(batch)
        asked = demand < demands
        found.by_demand.update(demand[asked].tolist())
        first = first_of(hit[asked], demand[asked], batch.num_rows)
        spelled = ~asked & (first[hit] < 0)
        verdict = batch.column("verdict").take(pa.array(hit[spelled])).cast(pa.string()).to_pylist()
        others = (demand[spelled] - demands).tolist()
        found.near.update(index for index, said in zip(others, verdict, strict=True) if said != REMOVED)
        place = np.flatnonzero(first >= 0)
        if len(place):
            # Dictionaries differ from row group to row group.
            chosen = batch.take(pa.array(place))
            tables.append(pa.table({name: _plain(chosen.column(name)) for name in COLUMNS}))
            rows.append(start + place)
            firsts.append(first[place])
        start += batch.num_rows
    if not tables:
        return None
    table = pa.concat_tables(tables).combine_chunks()
    return PartHits(
        part,
        np.concatenate(rows),
        np.concatenate(firsts),
        table.column("doc_id").combine_chunks(),
        dict(Counter(table.column("verdict").to_pylist())),
        _places(table),
    )


def _places(table: pa.Table) -> dict[tuple[str, int], Indexes]:
    placed = table.filter(pc.is_valid(table.column("row")))
    gathered: dict[tuple[str, int], list[int]] = {}
    for stream, shard, row in zip(
        *(placed.column(name).to_pylist() for name in ("stream", "shard", "row")), strict=True
    ):
        gathered.setdefault((stream, shard), []).append(row)
    return {place: np.sort(np.array(rows, np.int64)) for place, rows in gathered.items()}


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _id_bytes(column: pa.FixedSizeBinaryArray) -> NDArray[np.uint8]:
    start, end = 16 * column.offset, 16 * (column.offset + len(column))
    return np.frombuffer(column.buffers()[1] or b"", np.uint8)[start:end].reshape(-1, 16)


def _lookup(values: NDArray[np.uint8], wanted: Mapping[bytes, int]) -> list[tuple[int, int]]:
    """(row, index) of the values that are wanted: most are told apart by their first eight bytes."""
    heads = np.array(sorted({int.from_bytes(value[:8], "big") for value in wanted}), np.uint64)
    head = np.ascontiguousarray(values[:, :8]).view(">u8").ravel().astype(np.uint64)
    place = np.minimum(np.searchsorted(heads, head), len(heads) - 1)
    near = np.flatnonzero(heads[place] == head)
    found = ((row, wanted.get(values[row].tobytes())) for row in near.tolist())
    return [(row, index) for row, index in found if index is not None]
