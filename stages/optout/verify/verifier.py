"""Derives every keep again: kept rows against a snapshot, the same or a newer one, and the pages' own signals."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import pyarrow as pa

from lauter.pipeline.origin import locate, relatives
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_hosts, effective_policy
from lauter.stages.optout.several import several
from lauter.stages.optout.snapshot.answer import parse_time
from lauter.stages.optout.verify.reservations import (
    Located,
    Reserved,
    Said,
    Scoped,
    first,
    longest,
    of_ai_txt,
    of_comments,
    of_page,
    of_robots,
    of_rsl,
    of_tdmrep,
    speaks_of_tdm,
)
from lauter.stages.optout.verify.robots import RobotsFile, own_file, product_token, target_form
from lauter.stages.optout.verify.store import Answer, AnswerStore

_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml|[a-z]+[\s>])", re.IGNORECASE).match
_RECORD = re.compile(rb"(?:^|[\r\n])[^a-z\r\n]*(?:user.{0,3}agent|di[a-z]*l+[oa]w|allow)", re.IGNORECASE).search
_ORIGINS_HELD = 1_000
"""Origins whose files are held parsed, 30 KB each on the most visited sites. The audit hands over pages in the order of
their URLs, so that more would hardly help."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What an origin says, parsed."""

    name: str
    outcome: str
    """`rules`, `allow`, `missing`, `unreachable`, `forbidden` or `unparsable`."""
    answer: Answer | None
    robots: RobotsFile | None = None
    scoped: Sequence[Scoped] = ()
    anywhere: tuple[Answer, Reserved] | None = None
    """A reservation of the whole origin: in words, by ai.txt, by licence terms that nobody has read."""
    tdmrep: tuple[Answer, Sequence[Located]] | None = None
    licences: Sequence[tuple[Answer, Sequence[Located]]] = ()
    odd: bool = False
    """Whether its robots.txt is spelled so that two readers may differ: its rules are not judged."""

    @property
    def known(self) -> bool:
        """Whether the snapshot has anything of it."""
        return self.outcome != "missing" or self.anywhere is not None or self.tdmrep is not None


class Verifier:
    """See `contract.Verifier`. Needs the columns `url`, `doc_id` and `fetched_at` of the ledger."""

    def __init__(self, config: OptOutConfig) -> None:
        """Read the snapshots. Raises ValueError or OSError for a policy, list or snapshot that cannot be read."""
        self._config = config
        self.store = AnswerStore(config.snapshot, parse_time(config.as_of, end_of_day=True))
        self._prepare()

    def _prepare(self) -> None:
        self.policy = effective_policy(self._config)
        self.agents = effective_agents(self._config, self.policy).names
        self.hosts = effective_hosts(self._config)
        self._tokens = frozenset(product_token(agent) for agent in self.agents) - {"*"}
        self._origin = lru_cache(_ORIGINS_HELD)(self._read_origin)
        self._counted: set[str] = set()
        self._tally: Counter[str] = Counter()

    def __getstate__(self) -> dict[str, object]:
        """The parameters and the store; a copy reads the policy again."""
        return {"_config": self._config, "store": self.store}

    def __setstate__(self, state: dict[str, object]) -> None:
        """See `__getstate__`."""
        self.__dict__.update(state)
        self._prepare()

    def check(self, ledger: pa.RecordBatch, signals: pa.RecordBatch) -> Iterator[tuple[int, str]]:
        """Row and sentence of each kept row that this reading denies."""
        said: dict[int, list[Said]] = defaultdict(list)
        columns = (signals.column(name).to_pylist() for name in ("row", *Said._fields))
        for row, *what in zip(*columns, strict=True):
            said[row].append(Said(*what))
        times = ledger.column("fetched_at").cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.int64()).to_pylist()
        for row, (url, crawled) in enumerate(zip(ledger.column("url").to_pylist(), times, strict=True)):
            problem = self._problem(url, said.get(row, ()), crawled)
            if problem is not None:
                yield row, f"{url} ({ledger.column('doc_id')[row].as_py().hex()}) was kept, but {problem}"

    def tally(self) -> Counter[str]:
        """See `contract.Verifier`: distinct `origins`, those that are `answered`, and those that are `odd`."""
        found = self._tally
        self._counted, self._tally = set(), Counter()
        return found

    def covered(self, tally: Mapping[str, int]) -> str:
        """See `contract.Verifier`."""
        known, all_of_them = tally.get("answered", 0), several(tally.get("origins", 0), "origin")
        return f"the snapshot has an answer for {known:,} of {all_of_them} of the kept pages"

    def notes(self, tally: Mapping[str, int]) -> list[str]:
        """See `contract.Verifier`."""
        found = []
        if tally.get("origins") and not tally.get("answered"):
            found.append(
                "the snapshot has an answer for none of the origins of the kept pages, so nothing that an owner says "
                "was compared: is it a snapshot of these sites?"
            )
        if odd := tally.get("odd", 0):
            found.append(
                f"the robots.txt of {several(odd, 'origin')} is spelled so that two readers may differ; its rules are "
                "not derived again"
            )
        if self.policy.reading == "strict":
            found.append("the older first-match reading of robots.txt is not derived again, RFC 9309 is")
        return found

    def _count(self, name: str) -> None:
        """Count an origin once; one of which only another name is known is answered, as far as the policy asks it."""
        if name in self._counted:
            return
        self._counted.add(name)
        own = self._origin(name, None)
        others = relatives(name, scheme=self.policy.scheme_fallback, www=self.policy.www_fallback)
        self._tally["origins"] += 1
        self._tally["answered"] += own.known or any(self._origin(other, None).known for other in others)
        self._tally["odd"] += own.odd

    def _problem(self, url: str | None, page: Sequence[Said], crawled: int | None) -> str | None:
        place = locate(url) if url is not None else None
        if place is None:
            return "it has no http(s) origin, so nobody can know what its owner says"
        self._count(place.origin)
        listed = self.hosts.find(place.origin) if self.hosts else None
        if listed is not None:
            return None if listed.allow else f"its host is on the list of refused hosts: {listed.reason}"
        reserved = of_page(page, self.policy, self._tokens) if page else None
        if reserved is not None:
            return f"the page says {reserved.text} ({reserved.signal})"
        target = target_form(place.target)
        # Under the strict reading a page adds to its origin's tdmrep.json, and never lifts it.
        tdm = self.policy.reading == "strict" or not speaks_of_tdm(page)
        problem = self._now(place.origin, target, tdm=tdm)
        if problem is None and self.policy.also_at_crawl_time and crawled is not None:
            # At the time of the crawl nothing may be known; what is known now was asked already.
            problem = self._denial(self._origin(place.origin, crawled), target, tdm=tdm)
        return problem

    def _now(self, name: str, target: bytes, *, tdm: bool) -> str | None:
        """Why the origin of a page denies it, or another name of the origin where that one is missing."""
        origin = self._origin(name, None)
        problem = self._denial(origin, target, tdm=tdm)
        if problem is not None or origin.outcome != "missing":
            return problem
        for other in relatives(name, scheme=self.policy.scheme_fallback, www=self.policy.www_fallback):
            relative = self._origin(other, None)
            if relative.outcome != "missing":
                problem = self._denial(relative, target, tdm=tdm)
                if problem is not None:
                    return problem
                break
        if self.policy.on_missing == "deny":
            return "the snapshot has nothing of its origin, and the policy says `on_missing: deny`"
        if self.store.lost and self.policy.on_unparsable == "deny":
            return "bytes of the snapshot are lost, its origin may have been among them (`on_unparsable: deny`)"
        return None

    def _denial(self, origin: _Origin, target: bytes, *, tdm: bool) -> str | None:
        file = f"{origin.name}/robots.txt"
        if self._refuses(origin.outcome):
            status = origin.answer.status if origin.answer else None
            return f"{file} was {origin.outcome} (status {status}; policy: deny)"
        if own_file(target):
            return None
        denied = origin.robots.denies(target) if origin.robots else None
        if denied is not None:
            return f"{file} denies {denied.agent}: line {denied.line} `{denied.text}`{_evidence(origin.answer)}"
        reserved = longest(origin.scoped, target) if origin.scoped else None
        if reserved is not None:
            where = f"{file} line {reserved.line} `{reserved.text}` ({reserved.signal})"
            return where + _evidence(origin.answer)
        if origin.anywhere is not None:
            answer, reserved = origin.anywhere
            return f"{origin.name} says `{reserved.text}` ({reserved.signal}){_evidence(answer)}"
        if origin.tdmrep is not None and tdm:
            answer, locations = origin.tdmrep
            reserved = first(locations, target)
            if reserved is not None:
                return f"{origin.name}/.well-known/tdmrep.json says {reserved.text}{_evidence(answer)}"
        for answer, locations in origin.licences:
            reserved = first(locations, target)
            if reserved is not None:
                return f"the licence terms of {origin.name} say {reserved.text}{_evidence(answer)}"
        return None

    def _refuses(self, outcome: str) -> bool:
        choices = {
            "unreachable": self.policy.on_unreachable,
            "forbidden": self.policy.on_forbidden,
            "unparsable": self.policy.on_unparsable,
        }
        return choices.get(outcome) == "deny"

    def _read_origin(self, name: str, before: int | None) -> _Origin:
        answer = self.store.newest("robots.txt", name, before)
        tdmrep = self._file("tdmrep.json", name, before) if self.policy.drops("tdmrep") else None
        locations = (tdmrep, of_tdmrep(tdmrep.body or b"")) if tdmrep else None
        anywhere = self._ai_txt(name, before)
        outcome = _outcome(answer)
        if outcome != "rules" or answer is None or not answer.body:
            return _Origin(name, outcome, answer, anywhere=anywhere, tdmrep=locations)
        robots = RobotsFile(answer.body, self.agents, self.policy.star)
        licences, unread = self._licences(robots, before)
        words = of_comments(robots) if self.policy.drops("words") else None
        in_robots = words or unread
        return _Origin(
            name,
            outcome,
            answer,
            robots if self.policy.drops("robots.txt") else None,
            of_robots(robots, self.policy),
            anywhere or ((answer, in_robots) if in_robots else None),
            locations,
            licences,
            robots.odd,
        )

    def _file(self, kind: str, name: str, before: int | None) -> Answer | None:
        """The answer of a file other than robots.txt, where it was got whole."""
        answer = self.store.newest(kind, name, before)
        return answer if answer is not None and answer.body and _answered(answer) == "rules" else None

    def _ai_txt(self, name: str, before: int | None) -> tuple[Answer, Reserved] | None:
        answer = self._file("ai.txt", name, before) if self.policy.drops("ai.txt") else None
        said = of_ai_txt(RobotsFile(answer.body or b"", self.agents, self.policy.star)) if answer else None
        return (answer, said) if answer and said else None

    def _licences(
        self, robots: RobotsFile, before: int | None
    ) -> tuple[list[tuple[Answer, Sequence[Located]]], Reserved | None]:
        """The RSL documents that a robots.txt points to, and the first pointer to one that is not in the snapshot."""
        found: list[tuple[Answer, Sequence[Located]]] = []
        unread = None
        for line in robots.preferences:
            place = locate(line.value) if line.field == "license" else None
            if line.field != "license":
                continue
            url = place.origin + place.target if place else ""
            terms = self._file("rsl", url, None)
            if terms is not None and self.policy.drops("rsl"):
                # Which version of the terms held at the time of the crawl is asked by no one where there are several.
                if before is None or not self.store.several("rsl", url):
                    found.append((terms, of_rsl(terms.body or b"")))
            elif unread is None and self.policy.drops("rsl-unread") and self.store.newest("rsl", url) is None:
                unread = Reserved("rsl-unread", line.text, line.number)
        return found, unread

    def close(self) -> None:
        """Remove the temporary copy of the snapshots."""
        self.store.close()


def _outcome(answer: Answer | None) -> str:
    """What a robots.txt is known to be; a body is unparsable only where it is no such file beyond doubt."""
    if answer is None:
        return "missing"
    outcome, body = _answered(answer), answer.body or b""
    # A page, or text without as much as a comment.
    other = _PAGE(body) or (body.strip() and b":" not in body and b"#" not in body and b"\0" not in body)
    return "unparsable" if outcome == "rules" and other and not _RECORD(body) else outcome


def _answered(answer: Answer) -> str:
    """RFC 9309 section 2.3.1 by status."""
    status = answer.status
    if answer.broken:
        return "unparsable"
    if status in (401, 403):
        return "forbidden"
    if status is not None and 400 <= status < 500 and status not in (408, 425, 429):
        return "allow"
    if answer.body is None or (status is not None and not 200 <= status < 300):
        return "unreachable"
    return "rules"


def _evidence(answer: Answer | None) -> str:
    if answer is None:
        return ""
    when = "undated" if answer.fetched_at is None else datetime.fromtimestamp(answer.fetched_at, UTC).isoformat()
    return f" (SHA-256 {answer.sha256}, fetched {when})"
