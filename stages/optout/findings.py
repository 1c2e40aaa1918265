"""What is found of a batch of pages, as it comes in: the first objection to a page stands, and what it rests on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.optout.index.evidence import Evidence
from lauter.stages.optout.index.match import OVER_LIMIT
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.index.urls import Places
from lauter.stages.optout.policy import Policy
from lauter.stages.optout.reasons import CODES, OF_SIGNAL, UNKNOWN
from lauter.stages.optout.reserved import Reserved
from lauter.stages.optout.unread import UnreadFiles

LIST = "host-list"
"""`basis.outcome` of a page whose host stands on a list of the manifest."""
FILE_UNPARSABLE = "file-unparsable"
"""`basis.outcome` of a page whose origin has a tdmrep.json or ai.txt that counts and cannot be read."""

_UNREAD = tuple(CODES[f"robots-{outcome}"] for outcome in ("unreachable", "unparsable", "forbidden"))
_FILE = tuple(CODES[f"file-{how}"] for how in ("unparsable", "unreachable"))
_UNKNOWN = tuple(CODES[name] for name in UNKNOWN)
_WORDS = np.array([*OUTCOMES, "lost", LIST, FILE_UNPARSABLE], object)
_MISSING, _UNPARSABLE = OUTCOMES.index("missing"), OUTCOMES.index("unparsable")
_LOST, _LISTED, _FILE_UNPARSABLE = range(len(OUTCOMES), len(OUTCOMES) + 3)
_READ = tuple(OUTCOMES.index(outcome) for outcome in ("rules", "allow", "missing"))


class _Heard(NamedTuple):
    """What rows of the index say, one a page."""

    outcome: NDArray[np.int8]
    """Of `_WORDS`."""
    reason: NDArray[np.uint8]
    rule: NDArray[np.int64]
    unread: NDArray[np.int8]
    """Of `UnreadFiles.ways`, -1 for none."""


_BY_SIGNAL = np.array([OF_SIGNAL[kind] for kind in SIGNAL_NAMES], np.uint8)


class Findings:
    """Reasons, rules and bases of n pages."""

    def __init__(self, index: OriginIndex, policy: Policy, places: Places) -> None:
        self._index, self._policy, self._places = index, policy, places
        count = len(places)
        self.reason = np.zeros(count, np.uint8)
        """Codes of `reasons.REASONS`."""
        self._row = np.full(count, -1, np.int64)
        self._rule = np.full(count, -1, np.int64)
        self._outcome = np.full(count, _MISSING, np.int8)
        self._origin_id = places.origin_id.copy()
        self._via = np.full(count, None, object)
        self._told: dict[int, dict[str, object]] = {}
        self._files = UnreadFiles(policy)
        denied = {
            "unreachable": policy.on_unreachable,
            "unparsable": policy.on_unparsable,
            "forbidden": policy.on_forbidden,
        }
        codes = [CODES[f"robots-{one}"] if denied.get(one) == "deny" else 0 for one in OUTCOMES]
        self._by_outcome = np.array(codes, np.uint8)

    def by_origin(self, pages: NDArray[np.int64], rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None) -> None:
        """What the rows of the index (one a page of the batch, -1 for none) say to the given pages."""
        changed = self._ask(pages, rows, skip_tdm)
        self._origin_id[changed], self._via[changed] = self._places.origin_id[changed], None

    def by_relative(
        self,
        pages: NDArray[np.int64],
        rows: NDArray[np.int64],
        skip_tdm: NDArray[np.bool_] | None,
        *,
        ids: NDArray[np.uint64],
        via: NDArray[np.object_],
    ) -> None:
        """The same by the files of other origins: their ids and how their names differ, one a page of the batch."""
        changed = self._ask(pages, rows, skip_tdm)
        self._origin_id[changed], self._via[changed] = ids[changed], via[changed]

    def missing(self, pages: NDArray[np.int64], *, lost: bool) -> None:
        """Of the origins of these pages there is no robots.txt; `lost`: the snapshot has lost bytes."""
        if lost:
            self._outcome[pages[self._outcome[pages] == _MISSING]] = _LOST
        if lost and self._policy.on_unparsable == "deny":
            code = CODES["robots-lost"]
        elif self._policy.on_missing == "deny":
            code = CODES["robots-missing"]
        else:
            return
        self.reason[pages[self.reason[pages] == 0]] = code

    def by_page(self, reserved: Reserved) -> None:
        """What pages say of themselves, where their owner has said nothing against them yet."""
        open_to_it = self._places.known & ((self.reason == 0) | np.isin(self.reason, _UNKNOWN))
        for page in np.flatnonzero((reserved.reason != 0) & open_to_it).tolist():
            self.reason[page] = reserved.reason[page]
            self._told[page] = reserved.rule[page].as_py()

    def by_list(self, page: int, *, allow: bool, why: str) -> None:
        """A host on a list: whatever else is known of the page is as if it were not."""
        self._row[page], self._rule[page] = -1, -1
        self._outcome[page], self._via[page] = _LISTED, why
        self._told.pop(page, None)
        self.reason[page] = 0 if allow else CODES["host-denied"]
        if not allow:
            self._told[page] = {"agent": None, "signal": LIST, "line": None, "text": why}

    def evidence(self) -> Evidence:
        """What the index holds behind the denials that stand; for `rule` and `basis`, since it is dear to gather."""
        return self._index.evidence(np.where(self._denied(), self._rule, -1), self._row)

    def _denied(self) -> NDArray[np.bool_]:
        denied: NDArray[np.bool_] = (self._rule >= 0) & (self.reason != 0)
        return denied

    def rule(self, evidence: Evidence) -> pa.StructArray | None:
        """The evidence of the drops (`schema.RULE`); None where nothing is dropped with evidence."""
        denied = self._denied()
        unread = np.isin(self.reason, _UNREAD) & ~denied
        if not (denied.any() or unread.any() or self._told):
            return None
        status = self._index.answers(np.where(unread, self._row, -1)).field("status")
        words = pc.binary_join_element_wise("HTTP status", pc.fill_null(status.cast(pa.string()), "unknown"), " ")
        told = [self._told.get(page) for page in range(len(self.reason))]
        page = pa.array(told, schema.RULE)
        known = page.is_valid()
        line = pc.if_else(pc.equal(evidence.line, 0), pa.scalar(None, pa.int32()), evidence.line)
        columns = {
            "agent": evidence.agent,
            "signal": pc.if_else(pa.array(unread), "robots.txt", evidence.signal),
            "line": line,
            "text": pc.if_else(pa.array(unread), words, evidence.text),
        }
        merged = [
            pc.if_else(known, page.field(field.name), columns[field.name].cast(field.type)) for field in schema.RULE
        ]
        mask = pc.and_(pa.array(~(denied | unread)), pc.invert(known))
        return pa.StructArray.from_arrays(merged, fields=list(schema.RULE), mask=mask)

    def basis(self, evidence: Evidence) -> pa.StructArray:
        """`schema.BASIS` of every page that has an origin."""
        # The index has no digest of a file that nobody could read, and that of the robots.txt would be wrong here.
        answers = self._index.answers(np.where(np.isin(self.reason, _FILE), -1, self._row))
        chosen = pa.array(self._denied())
        known = self._places.known
        fields = {
            "outcome": pa.array(_WORDS[self._outcome], pa.string(), mask=~known),
            "origin_id": pa.array(self._origin_id, pa.uint64(), mask=~known | (self._row < 0)),
            "via": pa.array(self._via, pa.string()),
            "sha256": pc.if_else(chosen, evidence.sha256, answers.field("sha256")),
            "fetched_at": pc.if_else(chosen, evidence.fetched_at, answers.field("fetched_at")),
            "agents": evidence.agents,
        }
        arrays = [fields[field.name].cast(field.type) for field in schema.BASIS]
        return pa.StructArray.from_arrays(arrays, fields=list(schema.BASIS), mask=pa.array(~known))

    def _ask(
        self, pages: NDArray[np.int64], rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Ask rows of the index about pages to which no owner objected yet; returns those of which more is known now.

        What was known gives way to an objection, or to the first robots.txt that there is; what stands against a page
        because nothing could be known gives way to an owner's word alone.
        """
        before = self.reason[pages]
        pages = pages[(rows[pages] >= 0) & ((before == 0) | np.isin(before, _UNKNOWN))]
        heard = self._hear(pages, rows, skip_tdm)
        before = self.reason[pages]
        first = (self._row[pages] < 0) | ((self._outcome[pages] == _MISSING) & (heard.outcome != _MISSING))
        said = (heard.reason != 0) & ~np.isin(heard.reason, _UNKNOWN)
        news = said | ((before == 0) & (first | (heard.reason != 0)))
        changed: NDArray[np.int64] = pages[news]
        self._row[changed], self._rule[changed] = rows[changed], heard.rule[news]
        self._outcome[changed], self.reason[changed] = heard.outcome[news], heard.reason[news]
        self._told_of_files(changed, heard.unread[news])
        return changed

    def _told_of_files(self, pages: NDArray[np.int64], unread: NDArray[np.int8]) -> None:
        for page in self._told.keys() & set(pages.tolist()):
            del self._told[page]
        for i in np.flatnonzero(unread >= 0).tolist():
            way = self._files.ways[unread[i]]
            if way.reason:
                self._told[int(pages[i])] = way.rule

    def _hear(self, pages: NDArray[np.int64], rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None) -> _Heard:
        asked = np.full(len(rows), -1, np.int64)
        asked[pages] = rows[pages]
        rule = self._index.denials(self._places, asked, skip_tdm)[pages]
        outcome = self._index.outcomes(rows[pages])
        # Rules that nobody can match are no file that can be read, whatever follows from that.
        outcome[rule == OVER_LIMIT] = _UNPARSABLE
        reason = self._by_outcome[outcome]
        denied = np.flatnonzero(rule >= 0)
        if len(denied):
            reason[denied] = _BY_SIGNAL[self._index.signals(rule[denied])]
        unread = self._files.of(self._index.unread(rows[pages]), None if skip_tdm is None else skip_tdm[pages])
        unread[reason != 0] = -1
        for number, way in enumerate(self._files.ways):
            concerned = unread == number
            reason[concerned] = way.reason
            if way.how == "unparsable":
                outcome[concerned & np.isin(outcome, _READ)] = _FILE_UNPARSABLE
        return _Heard(outcome, reason, rule, unread)
