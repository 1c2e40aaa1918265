"""The settled answers of all ranges as one: sorted, memory-mapped, asked by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.origin import origin_id
from lauter.stages.optout.index.layout import PENDING, SETTLED

HOPS = 5
"""Redirects that are followed, within the snapshot: as many as RFC 9309 section 2.3.1.2 asks for."""

DAY = 86_400
"""Seconds. RFC 9309 section 2.4: a file may be used for 24 hours, so where a redirect led may be that much younger."""

UNDATED = -(2**62)
"""Stands for a null time: before all others."""

_REDIRECT = PENDING.index("redirect")


class At(NamedTuple):
    """A row of one of the ranges."""

    part: int
    row: int


class Settled:
    """Tables of `layout.SETTLED`, each sorted, the ids of one all below those of the next."""

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        """Each table has one chunk a column."""
        self.tables = [table for table in tables if table.num_rows]
        self.ids: list[NDArray[np.uint64]] = [table.column("id").to_numpy() for table in self.tables]
        self._first = np.array([ids[0] for ids in self.ids], np.uint64)
        self._kind = [table.column("kind").to_numpy() for table in self.tables]
        self._outcome = [table.column("outcome").to_numpy() for table in self.tables]
        self._time = [table.column("fetched_at").chunk(0).cast(pa.int64()) for table in self.tables]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(len(ids) for ids in self.ids)

    def slice(self, first: int, end: int) -> pa.Table:
        """The rows with first <= id < end, as one chunk a column; copies them."""
        parts = [SETTLED.empty_table()]
        for table, ids in zip(self.tables, self.ids, strict=True):
            low = int(np.searchsorted(ids, np.uint64(first)))
            high = len(ids) if end >= 1 << 64 else int(np.searchsorted(ids, np.uint64(end)))
            if high > low:
                parts.append(table.slice(low, high - low))
        return pa.concat_tables(parts).combine_chunks()

    def outcome(self, at: At) -> int:
        """The outcome of a row, counting in PENDING."""
        return int(self._outcome[at.part][at.row])

    def find(self, name: str, kind: int, time: int | None) -> At | None:
        """The newest answer of a name, or the newest at a time (seconds since 1970; a day's grace), else the oldest."""
        found = self._all(name, kind)
        if time is not None:
            found = [at for at in found if self._seconds(at) <= time + DAY] or found[:1]
        return found[-1] if found else None

    def times(self, name: str | None, kind: int) -> set[int]:
        """When the answers of a name were fetched, and those to which it redirects."""
        times: set[int] = set()
        for _ in range(HOPS):
            found = self._all(name, kind) if name is not None else []
            times |= {self._seconds(at) for at in found}
            moved = [at for at in found if self._outcome[at.part][at.row] == _REDIRECT]
            if not moved:
                break
            name = self.tables[moved[-1].part].column("target")[moved[-1].row].as_py()
        return times - {UNDATED}

    def _all(self, name: str, kind: int) -> list[At]:
        """The answers of a name, oldest first."""
        wanted = np.uint64(origin_id(name))
        part = int(np.searchsorted(self._first, wanted, side="right")) - 1
        if part < 0:
            return []
        ids, kinds = self.ids[part], self._kind[part]
        row = int(np.searchsorted(ids, wanted))
        names = self.tables[part].column("name")
        found = []
        while row < len(ids) and ids[row] == wanted:
            if kinds[row] == kind and names[row].as_py() == name:
                found.append(At(part, row))
            row += 1
        return found

    def _seconds(self, at: At) -> int:
        value: int | None = self._time[at.part][at.row].as_py()
        return UNDATED if value is None else value

    def follow(self, target: str | None, kind: int, time: int | None) -> At | None:
        """Where a redirect to a name ends; None where that is not in the snapshot, or after more than HOPS."""
        for _ in range(HOPS):
            found = self.find(target, kind, time) if target is not None else None
            if found is None:
                return None
            if self._outcome[found.part][found.row] != _REDIRECT:
                return found
            target = self.tables[found.part].column("target")[found.row].as_py()
        return None
