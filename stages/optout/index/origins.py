"""The compiled opt-out index: one Arrow file, memory-mapped by every worker, asked a batch of URLs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.origin import origin_id
from lauter.stages.optout.index import mapped as m
from lauter.stages.optout.index.ask import NO_TIME, find_rows, first_denials
from lauter.stages.optout.index.evidence import Evidence, evidence_of, fixed, signals_of
from lauter.stages.optout.index.layout import INDEX, OUTCOMES, rules_array
from lauter.stages.optout.index.mapped import Mapped
from lauter.stages.optout.index.match import NO_DENIAL, OVER_LIMIT, STEP_LIMIT
from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.index.urls import OWN_FILE, Places, of_targets, split
from lauter.stages.optout.robots.rules import RuleSet

__all__ = ["OUTCOMES", "Decisions", "Denial", "OriginIndex", "RuleTable", "decide", "rules_array"]

_TDM = SIGNAL_NAMES.index("tdmrep")


class Denial(NamedTuple):
    """The evidence of one opt-out."""

    agent: str
    line: int
    """1-based."""
    text: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the index says of n URLs."""

    row: NDArray[np.int64]
    """The row of each URL's origin, -1 where the snapshot has nothing of it."""
    rule: NDArray[np.int64]
    """The rule that denies it, counted over the index; NO_DENIAL, or OVER_LIMIT."""
    places: Places
    """The URLs taken apart: `known`, `origin_id`."""


class OriginIndex:
    """A compiled index, opened read-only. Rows, sets and rules are counted over all record batches of the file."""

    def __init__(self, path: str) -> None:
        """Raises OSError if it cannot be opened, ValueError if it is no index."""
        self._load(Mapped(Path(path)))

    @classmethod
    def of_sets(cls, column: pa.LargeListArray) -> OriginIndex:
        """An index in memory whose row i is named `i` and has the sets i of a column of type `layout.RULES`."""
        count = len(column)
        known = {
            "origin_id": pa.array(np.arange(count, dtype=np.uint64)),
            "origin": pa.array([str(i) for i in range(count)], pa.large_string()),
            "outcome": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array(OUTCOMES)),
            "truncated": pa.array(np.zeros(count, bool)),
            "unread": pa.array(np.zeros(count, np.uint8)),
            "files": pa.array([[]] * count, INDEX.field("files").type),
            "sets": column,
        }
        arrays = [known.get(one.name, pa.nulls(count, one.type)) for one in INDEX]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, INDEX) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=INDEX))
        index = cls.__new__(cls)
        index._load(Mapped(sink.getvalue()))
        return index

    def _load(self, mapped: Mapped) -> None:
        self._mapped = mapped
        self.agents = mapped.agents
        """The policy's agents, in its order."""
        self.lost = mapped.lost > 0
        """Whether an origin that is not here may have been in the snapshot."""
        self.rows = int(mapped.rows[-1])
        """Their number."""

    def find(self, origins: Sequence[str]) -> NDArray[np.int64]:
        """The (newest) row of each normalised origin, -1 where the snapshot has none."""
        return self.find_at(origins, np.full(len(origins), NO_TIME))

    def find_at(self, origins: Sequence[str], times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each normalised origin that was in force at a time, -1 where there is none.

        `times`: seconds since 1970, shape (n,), int64. Only an index of every version (`Terms.every_version`) has more
        than one row an origin; in any other the one row is in force always.
        """
        names = [origin.encode("utf-8", "surrogatepass") for origin in origins]
        ends = np.cumsum([0, *map(len, names)]).astype(np.int64)
        data = np.frombuffer(b"".join(names), np.uint8)
        ids = np.fromiter((origin_id(origin) for origin in origins), np.uint64, len(origins))
        return self._find(data, ends[:-1], ends[1:], ids, np.ones(len(names), np.bool_), times)

    def find_places(self, places: Places, times: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """`find`, or `find_at`, of URLs that were taken apart; -1 for those without an origin, too."""
        when = np.full(len(places), NO_TIME) if times is None else times
        return self._find(places.data, places.origin_start, places.origin_end, places.origin_id, places.known, when)

    def _find(
        self,
        data: NDArray[np.uint8],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        ids: NDArray[np.uint64],
        known: NDArray[np.bool_],
        times: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        out = np.empty(len(ids), np.int64)
        one = self._mapped
        find_rows(data, starts, ends, ids, known, times, one.at, one.rows, one.bytes, one.int64, one.uint64, out)
        return out

    def denials(
        self, places: Places, rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """For each URL, under the row of the same place, the rule that denies it, NO_DENIAL or OVER_LIMIT.

        NO_DENIAL for a row of -1. `skip_tdm` marks URLs for which sets of tdmrep.json do not count, since the page
        itself speaks (TDMRep report, section 5).
        """
        out = np.full(len(places), NO_DENIAL, np.int64)
        asked = np.flatnonzero(rows >= 0)
        skipped = np.zeros(len(places), np.bool_) if skip_tdm is None else skip_tdm
        self._deny(places, asked, rows, skipped, out)
        # Clients resolve `.`, `..` and backslashes, some before they ask: what denies either form denies both.
        again, resolved = places.resolved(asked[out[asked] == NO_DENIAL])
        if len(again):
            also = np.full(len(again), NO_DENIAL, np.int64)
            self._deny(resolved, np.arange(len(again)), rows[again], skipped[again], also)
            # The file itself may be read however its name is spelled.
            also[(places.marks[again] & OWN_FILE) != 0] = NO_DENIAL
            out[again] = also
        return out

    def _deny(
        self,
        places: Places,
        which: NDArray[np.int64],
        rows: NDArray[np.int64],
        skipped: NDArray[np.bool_],
        out: NDArray[np.int64],
    ) -> None:
        one = self._mapped
        batch, place = one.batch_of(one.rows, rows)
        first_denials(
            which,
            batch,
            place,
            places.data,
            places.target_start,
            places.target_end,
            places.marks,
            skipped,
            _TDM,
            one.rules,
            one.at,
            one.bytes,
            one.int64,
            one.uint64,
            STEP_LIMIT,
            out,
        )

    def decide(
        self,
        urls: pa.Array,
        skip_tdm: NDArray[np.bool_] | None = None,
        times: NDArray[np.int64] | None = None,
    ) -> Decisions:
        """Decide each URL of a string or large_string column by the row of its own origin.

        `times`: by the version in force then, in seconds since 1970, instead of by the newest.
        """
        places = split(urls)
        rows = self.find_places(places, times)
        return Decisions(rows, self.denials(places, rows, skip_tdm), places)

    def outcomes(self, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        """What the robots.txt of each row amounts to, counting in OUTCOMES; -1 for -1."""
        one, known = self._mapped, rows >= 0
        found = np.full(len(rows), -1, np.int8)
        found[known] = one.bytes[one.places(m.OUTCOME, *one.batch_of(one.rows, rows[known]))].view(np.int8)
        return found

    def unread(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """`layout.INDEX` `unread` of each row: which of its other files could not be read; 0 for -1."""
        one, known = self._mapped, rows >= 0
        found = np.zeros(len(rows), np.uint8)
        found[known] = one.bytes[one.places(m.UNREAD, *one.batch_of(one.rows, rows[known]))]
        return found

    def answers(self, rows: NDArray[np.int64]) -> pa.StructArray:
        """(status, fetched_at, sha256) of the robots.txt that counts for each row; nulls for -1."""
        one, known = self._mapped, rows >= 0
        batch, place = one.batch_of(one.rows, np.where(known, rows, 0)) if self.rows else (rows * 0, rows * 0)
        some = [np.zeros(len(rows), bool)] * 3
        if self.rows:
            some = [known & one.valid(c, batch, place) for c in (m.STATUS_VALID, m.FETCHED_VALID, m.SHA256_VALID)]
        status = np.zeros(len(rows), np.int32)
        fetched = np.zeros(len(rows), np.int64)
        digest = np.zeros((len(rows), 32), np.uint8)
        status[some[0]] = one.int32[one.places(m.STATUS, batch, place)[some[0]]]
        fetched[some[1]] = one.int64[one.places(m.FETCHED, batch, place)[some[1]]]
        digest[some[2]] = one.bytes[(one.at[batch, m.SHA256] + 32 * place)[some[2], None] + np.arange(32)]
        names = ("status", "fetched_at", "sha256")
        arrays = [
            pa.array(status, mask=~some[0]),
            pa.array(fetched, mask=~some[1]).cast(INDEX.field("fetched_at").type),
            fixed(digest, some[2]),
        ]
        return pa.StructArray.from_arrays(arrays, fields=[INDEX.field(name) for name in names])

    def signals(self, rules: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The kind of signal of each rule of `denials`, none of them negative, counting in `terms.SIGNAL_NAMES`."""
        return signals_of(self._mapped, rules)

    def evidence(self, rules: NDArray[np.int64], rows: NDArray[np.int64]) -> Evidence:
        """What denied: for each rule of `denials` under the row of the same place; nulls for negative rules."""
        return evidence_of(self._mapped, rules, rows)

    def status(self, rows: pa.Int64Array) -> pa.Int32Array:
        """The HTTP status that counts for each row; null where nothing answered, and for null."""
        return self.answers(rows.fill_null(-1).to_numpy()).field("status")


class RuleTable:
    """Sets of rules without an index, asked as the index is."""

    def __init__(self, index: OriginIndex) -> None:
        self._index = index

    @classmethod
    def of(cls, column: pa.LargeListArray) -> RuleTable:
        """The sets of a column of type `layout.RULES`."""
        return cls(OriginIndex.of_sets(column))

    def denials(self, rows: NDArray[np.int64], targets: Sequence[str]) -> NDArray[np.int64]:
        """For each (row of the column, target), the rule that denies it, NO_DENIAL or OVER_LIMIT."""
        return self._index.denials(of_targets(list(targets)), rows)

    def evidence(self, rules: NDArray[np.int64]) -> Evidence:
        """What denied."""
        return self._index.evidence(rules, np.zeros(len(rules), np.int64))


def decide(sets: Sequence[RuleSet], target: str) -> Denial | None:
    """The first denial of a target (path and query) by the sets of one file; None where none denies it.

    Raises `ValueError` if the rules cannot be matched within STEP_LIMIT comparisons.
    """
    if not sets:
        return None
    table = RuleTable.of(rules_array([sets]))
    rule = table.denials(np.zeros(1, np.int64), [target])
    if rule[0] == OVER_LIMIT:
        raise ValueError(f"rules need more than {STEP_LIMIT} comparisons for {target[:80]!r}")
    if rule[0] < 0:
        return None
    found = table.evidence(rule)
    return Denial(found.agent[0].as_py(), found.line[0].as_py(), found.text[0].as_py())
