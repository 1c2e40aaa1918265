"""Derives every keep again: kept rows against a snapshot, the same or a newer one, and the pages' own signals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from lauter.pipeline.origin import Location, locate, relatives
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_hosts, effective_policy
from lauter.stages.optout.snapshot.answer import parse_time
from lauter.stages.optout.verify.reservations import (
    Reserved,
    Scoped,
    longest,
    of_ai_txt,
    of_comments,
    of_page,
    of_robots,
    of_rsl,
    of_tdmrep,
    permits_tdm,
)
from lauter.stages.optout.verify.robots import RobotsFile
from lauter.stages.optout.verify.store import Answer, AnswerStore

_HTML = (b"<!doctype html", b"<html")
_ORIGINS_HELD = 20_000


@dataclass(frozen=True, slots=True)
class _Origin:
    """What an origin says, parsed."""

    outcome: str
    """`rules`, `allow`, `missing`, `unreachable`, `forbidden` or `unparsable`."""
    robots: RobotsFile | None
    scoped: Sequence[Scoped]
    answer: Answer | None
    anywhere: Reserved | None
    """A reservation of the whole origin: in words, by ai.txt, by licence terms that nobody has read."""
    tdmrep: Answer | None
    licences: Sequence[Answer]


class Verifier:
    """See `contract.Verifier`. Needs the columns `url`, `fetched_at` and `basis` of the ledger."""

    def __init__(self, config: OptOutConfig) -> None:
        """Read the snapshots. Raises ValueError or OSError for a policy, list or snapshot that cannot be read."""
        self.policy = effective_policy(config)
        self.agents = effective_agents(config, self.policy).names
        self.hosts = effective_hosts(config)
        self.store = AnswerStore(config.snapshot, parse_time(config.as_of, end_of_day=True))
        self.notes: list[str] = []
        if self.policy.reading == "strict":
            self.notes.append("the older first-match reading of robots.txt is not derived again, RFC 9309 is")
        self._origin = lru_cache(_ORIGINS_HELD)(self._read_origin)

    def check(self, ledger: pa.RecordBatch, signals: pa.RecordBatch) -> Iterator[str]:
        """One sentence for each kept row that this reading denies."""
        said: dict[bytes, list[dict[str, str]]] = defaultdict(list)
        for row in signals.to_pylist():
            said[row["doc_id"]].append(row)
        urls, ids = ledger.column("url").to_pylist(), ledger.column("doc_id").to_pylist()
        times = ledger.column("fetched_at").cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()).to_pylist()
        for url, doc_id, crawled in zip(urls, ids, times, strict=True):
            problem = self._problem(url, said.get(doc_id, ()), crawled)
            if problem is not None:
                yield f"{url} ({doc_id.hex()}) was kept, but {problem}"

    def _problem(self, url: str | None, page: Sequence[Mapping[str, str]], crawled: int | None) -> str | None:
        place = locate(url) if url is not None else None
        if place is None:
            return "it has no http(s) origin, so nobody can know what its owner says"
        listed = self.hosts.find(place.origin) if self.hosts else None
        if listed is not None:
            return None if listed.allow else f"its host is on the list of refused hosts: {listed.reason}"
        reserved = of_page(page, self.policy, self.agents)
        if reserved is not None:
            return f"the page says {reserved.text} ({reserved.signal})"
        problem = self._by_origin(place, page, None)
        if problem is None and self.policy.also_at_crawl_time and crawled is not None:
            problem = self._by_origin(place, page, crawled)
        return problem

    def _by_origin(self, place: Location, page: Sequence[Mapping[str, str]], before: int | None) -> str | None:
        """Why the origin of a page denies it, `before`: as it was known at a time."""
        origin = self._origin(place.origin, before)
        problem = self._denial(origin, place, page)
        # At the time of the crawl nothing may be known; what is known now was asked already.
        if problem is not None or origin.outcome != "missing" or before is not None:
            return problem
        for name in relatives(place.origin, scheme=self.policy.scheme_fallback, www=self.policy.www_fallback):
            other = self._origin(name, before)
            if other.outcome != "missing":
                problem = self._denial(other, Location(name, place.target), page)
                if problem is not None:
                    return problem
                break
        if self.policy.on_missing == "deny":
            return "the snapshot has nothing of its origin, and the policy says `on_missing: deny`"
        if self.store.lost and self.policy.on_unparsable == "deny":
            return "bytes of the snapshot are lost, its origin may have been among them (`on_unparsable: deny`)"
        return None

    def _denial(self, origin: _Origin, place: Location, page: Sequence[Mapping[str, str]]) -> str | None:
        unknown = {
            "unreachable": self.policy.on_unreachable,
            "forbidden": self.policy.on_forbidden,
            "unparsable": self.policy.on_unparsable,
        }
        file = f"{place.origin}/robots.txt"
        if unknown.get(origin.outcome) == "deny":
            status = origin.answer.status if origin.answer else None
            return f"{file} was {origin.outcome} (status {status}; policy: deny)"
        denied = origin.robots.denies(place.target) if origin.robots and self.policy.drops("robots.txt") else None
        if denied is not None:
            return f"{file} denies {denied.agent}: line {denied.line} `{denied.text}`{_evidence(origin.answer)}"
        reserved = longest(origin.scoped, place.target)
        if reserved is not None:
            where = f"{file} line {reserved.line} `{reserved.text}` ({reserved.signal})"
            return where + _evidence(origin.answer)
        if origin.anywhere is not None:
            return f"{place.origin} says `{origin.anywhere.text}` ({origin.anywhere.signal}){_evidence(origin.answer)}"
        if origin.tdmrep is not None and origin.tdmrep.body and not permits_tdm(page):
            reserved = of_tdmrep(origin.tdmrep.body, place.target)
            if reserved is not None:
                return f"{place.origin}/.well-known/tdmrep.json says {reserved.text}{_evidence(origin.tdmrep)}"
        for licence in origin.licences:
            reserved = of_rsl(licence.body or b"", place.target)
            if reserved is not None:
                return f"the licence terms of {place.origin} say {reserved.text}{_evidence(licence)}"
        return None

    def _read_origin(self, name: str, before: int | None) -> _Origin:
        answer = self.store.newest("robots.txt", name, before)
        tdmrep = self.store.newest("tdmrep.json", name, before) if self.policy.drops("tdmrep") else None
        anywhere = self._ai_txt(name, before)
        outcome = _outcome(answer)
        if outcome != "rules" or answer is None or not answer.body:
            return _Origin(outcome, None, (), answer, anywhere, tdmrep, ())
        robots = RobotsFile(answer.body, self.agents, self.policy.star)
        licences, unread = self._licences(robots)
        if anywhere is None and self.policy.drops("words"):
            anywhere = of_comments(answer.body)
        anywhere = anywhere or unread
        return _Origin(outcome, robots, of_robots(robots, self.policy), answer, anywhere, tdmrep, licences)

    def _ai_txt(self, name: str, before: int | None) -> Reserved | None:
        answer = self.store.newest("ai.txt", name, before) if self.policy.drops("ai.txt") else None
        if answer is None or not answer.body or _outcome(answer) != "rules":
            return None
        return of_ai_txt(RobotsFile(answer.body, self.agents, self.policy.star))

    def _licences(self, robots: RobotsFile) -> tuple[list[Answer], Reserved | None]:
        """The RSL documents that a robots.txt points to, and the first pointer to one that is not in the snapshot."""
        found: list[Answer] = []
        unread = None
        for line in (line for _, lines in robots.groups for line in lines if line.field == "license"):
            place = locate(line.value)
            terms = self.store.newest("rsl", place.origin + place.target) if place else None
            if terms is not None and self.policy.drops("rsl"):
                found.append(terms)
            elif terms is None and unread is None and self.policy.drops("rsl-unread"):
                unread = Reserved("rsl-unread", line.text, line.number)
        return found, unread

    def close(self) -> None:
        """Remove the temporary copy of the snapshots."""
        self.store.close()


def _outcome(answer: Answer | None) -> str:
    """RFC 9309 section 2.3.1 by status; a body is unparsable only where it is a page beyond doubt."""
    if answer is None:
        return "missing"
    status = answer.status
    if answer.broken:
        return "unparsable"
    if status in (401, 403):
        return "forbidden"
    if status is not None and 400 <= status < 500 and status not in (408, 425, 429):
        return "allow"
    if answer.body is None or (status is not None and not 200 <= status < 300):
        return "unreachable"
    page = answer.body.lstrip()[:20].lower().startswith(_HTML)
    return "unparsable" if page and b"user-agent" not in answer.body.lower() else "rules"


def _evidence(answer: Answer | None) -> str:
    if answer is None:
        return ""
    when = "undated" if answer.fetched_at is None else datetime.fromtimestamp(answer.fetched_at, UTC).isoformat()
    return f" (SHA-256 {answer.sha256}, fetched {when})"


def verifier(config: OptOutConfig, options: Mapping[str, Any]) -> Verifier:
    """A verifier of a corpus's own config, with `snapshot` or `policy` of the auditor's in place of the manifest's.

    Another policy takes the place of the manifest's whole choice, single fields included. Raises ValueError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    kept = config.model_dump(exclude_unset=True)
    if "policy" in given:
        kept = {name: kept[name] for name in ("snapshot", "as_of") if name in kept}
    if "snapshot" in given:
        kept.pop("as_of", None)
    return Verifier(OptOutConfig.model_validate({**kept, **given}))
