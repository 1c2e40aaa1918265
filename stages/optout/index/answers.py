"""The map step of compiling: each archived answer becomes a row with what it says to the policy."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lauter.pipeline.origin import locate, origin_id
from lauter.stages.optout.index.layout import ANSWER, PENDING, REFERENCE, rules_array, statements_array
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.robots.rules import RuleSet, parse, rule_sets
from lauter.stages.optout.signals.files import file_statements, robots_statements
from lauter.stages.optout.signals.sets import signal_sets
from lauter.stages.optout.signals.statement import Statement
from lauter.stages.optout.snapshot.answer import KINDS, Fetched, Reference, well_known
from lauter.stages.optout.snapshot.read import read_snapshot

COUNTED = (
    "records",
    "broken",
    "lost",
    "no_origin",
    "not_robots",
    "undated",
    "after_as_of",
)

# RFC 9110 sections 15.5.2 and 15.5.4: there may be a file, for others to see.
_FORBIDDEN = (401, 403)
# RFC 9110 section 15.5.9, RFC 8470, RFC 6585: request timeout, too early, too many requests.
_AGAIN = (408, 425, 429)

BLOCK_ROWS = 5_000
# Equal files are parsed once (1,317 of 4,585 real ones repeat another). Bounds memory, does not change results.
_MEMO_FILES = 2_000
_URL = re.compile(r"\s*<?(https?://[^\s<>]+|/[^\s<>]*)", re.IGNORECASE).match


class Compiled(NamedTuple):
    """What one answer amounts to, before redirects are followed."""

    outcome: str
    """One of `layout.PENDING`."""
    truncated: bool = False
    sets: tuple[RuleSet, ...] = ()
    statements: tuple[Statement, ...] = ()


def answer_rows(paths: Iterable[str], terms: Terms, counts: Counter[str]) -> Iterator[pa.Table]:
    """The answers of snapshot files as tables of `layout.ANSWER`, BLOCK_ROWS rows at most; at least one table.

    `counts` gains those of `read_snapshot` and `after_as_of`. Memory is bounded by a block and by one file's body.
    """
    memo: dict[tuple[bytes, Fetched], Compiled] = {}
    rows: list[tuple[Fetched, bytes, Compiled]] = []
    for path in paths:
        for answer in read_snapshot(path, counts):
            if terms.as_of is not None and answer.fetched_at is not None and answer.fetched_at > terms.as_of:
                counts["after_as_of"] += 1
                continue
            digest = hashlib.sha256(answer.body or b"").digest()
            # Without its bytes, its origin and its time, an answer is what its class depends on besides the digest.
            head = answer._replace(origin="", fetched_at=None, location=None, record_id=None, url=None)
            head = head._replace(body=None if answer.body is None else b"")
            if head.refers_to is not None:
                head = head._replace(refers_to=Reference(None, None, None))
            key = (digest, head)
            compiled = memo.get(key)
            if compiled is None:
                if len(memo) >= _MEMO_FILES:
                    memo.clear()
                compiled = memo[key] = compile_answer(answer, terms)
            rows.append((answer._replace(body=None if answer.body is None else b""), digest, compiled))
            if len(rows) == BLOCK_ROWS:
                yield _table(rows, terms)
                rows = []
    yield _table(rows, terms)


def compile_answer(answer: Fetched, terms: Terms) -> Compiled:
    """Class one answer by its status (RFC 9309 section 2.3.1) and read what it says.

    2xx (or a body without a status): its rules. 3xx: `redirect`. 401 and 403: `forbidden`. 408, 425 and 429 ask for
    another try and say nothing of the file: `unreachable`. Other 4xx: the file does not exist, `allow`. All else:
    `unreachable`. An answer that repeats another: `revisit`. Bytes that the snapshot has lost, and a body that is no
    file of its kind (most are HTML pages of an error or a challenge), are `unparsable`: that the owner said nothing
    cannot be known. An empty file is `allow`. Pointers to licence terms are statements without sets: whether the terms
    are in the snapshot is known only at the end.
    """
    status = answer.status
    if answer.broken:
        return Compiled("unparsable")
    if answer.refers_to is not None:
        return Compiled("revisit")
    if answer.body is None and (status is None or 200 <= status < 300):
        return Compiled("unreachable")
    if status is None or 200 <= status < 300:
        return _read(answer, terms)
    if 300 <= status < 400:
        return Compiled("redirect")
    if status in _FORBIDDEN:
        return Compiled("forbidden")
    return Compiled("allow" if 400 <= status < 500 and status not in _AGAIN else "unreachable")


def _read(answer: Fetched, terms: Terms) -> Compiled:
    body = answer.body or b""
    sets: tuple[RuleSet, ...] = ()
    truncated = answer.truncated
    wanted = terms.dropped | terms.recorded
    if "rsl" in wanted:
        wanted |= {"rsl-unread"}  # Where the pointer leads may be in the snapshot.
    if answer.kind == "robots.txt":
        robots = parse(body)
        truncated = robots.truncated or truncated
        if not robots.parsable:
            return Compiled("unparsable", truncated)
        if "robots.txt" in terms.dropped:
            sets = rule_sets(robots, terms.agents, terms.reading, star=terms.star)
        # Where Allow and Disallow are all that counts (Apertus), nothing else is looked for.
        said = robots_statements(robots) if wanted - {"robots.txt"} else ()
    else:
        file = file_statements(answer.kind, body)
        if not file.parsable:
            return Compiled("unparsable", truncated)
        said = file.statements
    kept = tuple(one for one in said if one.signal in wanted)
    sets += signal_sets([one for one in kept if one.signal != "rsl-unread"], terms.agents, terms.dropped)
    return Compiled("rules" if sets else "allow", truncated, sets, kept)


def pointer_url(statement: Statement, origin: str) -> str | None:
    """Where the licence terms lie to which a pointer in an origin's file leads, as `Fetched.name` writes it."""
    found = _URL(statement.text) if statement.signal == "rsl-unread" else None
    if found is None:
        return None
    url = found[1]
    place = locate(url if url[0] != "/" else origin.partition("//")[0] + url if url[:2] == "//" else origin + url)
    return place.origin + place.target if place else None


def redirect_name(answer: Fetched) -> str | None:
    """The name of the answer to which a redirect leads: the same kind of file, perhaps of another origin."""
    location = answer.location
    if not location:
        return None
    if location.startswith("//"):
        location = answer.origin.partition("//")[0] + location
    place = locate(location)
    if place is None:
        return None
    if answer.kind == "rsl":
        return place.origin + place.target
    return place.origin if well_known(place.target) == answer.kind else None


def _table(rows: list[tuple[Fetched, bytes, Compiled]], terms: Terms) -> pa.Table:
    said = ([(one, pointer_url(one, a.origin)) for one in c.statements] for a, _, c in rows)
    references = [
        None
        if a.refers_to is None
        else {
            "record_id": a.refers_to.record_id,
            "name": a.refers_to.origin or a.name,
            "fetched_at": a.refers_to.fetched_at,
        }
        for a, _, _ in rows
    ]
    columns = [
        pa.array(np.fromiter((origin_id(a.name) for a, _, _ in rows), np.uint64, len(rows))),
        pa.array([a.name for a, _, _ in rows], pa.large_string()),
        pa.array([KINDS.index(a.kind) for a, _, _ in rows], pa.int8()),
        pa.array([a.status for a, _, _ in rows], pa.int32()),
        pa.array([a.fetched_at for a, _, _ in rows], pa.int64()).cast(pa.timestamp("s", tz="UTC")),
        pa.array([None if a.body is None else d for a, d, _ in rows], pa.binary(32)),
        pa.array([PENDING.index(c.outcome) for _, _, c in rows], pa.int8()),
        pa.array([c.truncated for _, _, c in rows], pa.bool_()),
        pa.array([redirect_name(a) if c.outcome == "redirect" else None for a, _, c in rows], pa.string()),
        rules_array([c.sets for _, _, c in rows], terms.agents),
        statements_array(said),
        pa.array([a.record_id for a, _, _ in rows], pa.string()),
        pa.array(references, REFERENCE),
    ]
    return pa.Table.from_arrays(columns, schema=ANSWER)
