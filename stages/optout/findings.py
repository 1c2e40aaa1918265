"""What is found of a batch of pages, as it comes in: the first objection to a page stands, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.optout.index.match import OVER_LIMIT
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.index.urls import Places
from lauter.stages.optout.policy import Policy
from lauter.stages.optout.reasons import CODES, OF_SIGNAL
from lauter.stages.optout.reserved import Reserved

LIST = "host-list"
"""`basis.outcome` of a page whose host stands on a list of the manifest."""

_UNREAD = tuple(CODES[f"robots-{outcome}"] for outcome in ("unreachable", "unparsable", "forbidden"))
_WORDS = np.array([*OUTCOMES, "lost", LIST], object)
_MISSING, _LOST, _LISTED = OUTCOMES.index("missing"), len(OUTCOMES), len(OUTCOMES) + 1
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
        self._via: list[str | None] = [None] * count
        self._told: dict[int, dict[str, object]] = {}
        denied = {
            "unreachable": policy.on_unreachable,
            "unparsable": policy.on_unparsable,
            "forbidden": policy.on_forbidden,
        }
        codes = [CODES[f"robots-{one}"] if denied.get(one) == "deny" else 0 for one in OUTCOMES]
        self._by_outcome = np.array(codes, np.uint8)

    def by_origin(self, pages: NDArray[np.int64], rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None) -> None:
        """What the rows of the index (one a page of the batch, -1 for none) say to the given pages."""
        pages = pages[rows[pages] >= 0]
        asked = np.full(len(rows), -1, np.int64)
        asked[pages] = rows[pages]
        rule = self._index.denials(self._places, asked, skip_tdm)[pages]
        outcome = self._index.outcomes(rows[pages])
        reason = self._by_outcome[outcome]
        denied = np.flatnonzero(rule >= 0)
        if len(denied):
            signal = self._index.evidence(rule[denied], rows[pages[denied]]).signal.dictionary_encode()
            codes = np.array([OF_SIGNAL[kind] for kind in signal.dictionary.to_pylist()], np.uint8)
            reason[denied] = codes[signal.indices.to_numpy()]
        if self._policy.on_unparsable == "deny":
            reason[rule == OVER_LIMIT] = CODES["robots-unparsable"]
        # Who is asked again must find something against the page to change what is known of it.
        first = self._row[pages] < 0
        news = first | ((self.reason[pages] == 0) & (reason != 0))
        changed = pages[news]
        self._row[changed], self._rule[changed] = rows[changed], rule[news]
        self._outcome[changed], self.reason[changed] = outcome[news], reason[news]

    def by_relative(
        self,
        pages: NDArray[np.int64],
        rows: NDArray[np.int64],
        skip_tdm: NDArray[np.bool_] | None,
        *,
        ids: NDArray[np.uint64],
        via: Sequence[str],
    ) -> None:
        """The same by the file of another origin: its ids, and how its name differs."""
        before = self._row.copy()
        self._row[pages[self.reason[pages] == 0]] = -1
        self.by_origin(pages[self.reason[pages] == 0], rows, skip_tdm)
        for page, one, how in zip(pages.tolist(), ids, via, strict=True):
            if self._row[page] == rows[page] and self._row[page] != before[page]:
                self._origin_id[page] = one
                self._via[page] = how

    def missing(self, pages: NDArray[np.int64], *, lost: bool) -> None:
        """Of the origins of these pages there is no robots.txt; `lost`: the snapshot has lost bytes."""
        self._outcome[pages[self._row[pages] < 0]] = _LOST if lost else _MISSING
        if lost and self._policy.on_unparsable == "deny":
            code = CODES["robots-lost"]
        elif self._policy.on_missing == "deny":
            code = CODES["robots-missing"]
        else:
            return
        self.reason[pages[self.reason[pages] == 0]] = code

    def by_page(self, reserved: Reserved) -> None:
        """What pages say of themselves, where nothing stands against them yet."""
        for page in np.flatnonzero((reserved.reason != 0) & (self.reason == 0)).tolist():
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

    def rule(self) -> pa.StructArray | None:
        """The evidence of the drops (`schema.RULE`); None where nothing is dropped with evidence."""
        denied = (self._rule >= 0) & (self.reason != 0)
        unread = np.isin(self.reason, _UNREAD) & ~denied
        if not (denied.any() or unread.any() or self._told):
            return None
        evidence = self._index.evidence(np.where(denied, self._rule, -1), self._row)
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

    def basis(self) -> pa.StructArray:
        """`schema.BASIS` of every page that has an origin."""
        denied = (self._rule >= 0) & (self.reason != 0)
        answers = self._index.answers(self._row)
        evidence = self._index.evidence(np.where(denied, self._rule, -1), self._row)
        chosen = pa.array(denied)
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
