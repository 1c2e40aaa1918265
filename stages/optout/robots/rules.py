"""What a robots.txt says to an agent: RFC 9309, read so that no opt-out is lost to a spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Literal, NamedTuple

import numpy as np

from lauter.stages.optout.index.match import canonicalise
from lauter.stages.optout.robots.spelling import (
    INVISIBLE,
    SIZE_LIMIT,
    WHITE,
    is_odd,
    listed_agents,
    plain_line,
    read_text,
    utf8,
)

TEXT_LIMIT = 500
"""Code points of a rule's text that are kept as evidence; the line number leads to the rest."""

Reading = Literal["rfc9309", "strict"]
Star = Literal["agent", "fallback", "ignore"]

# Field names, with the misspellings that Google's parser and Protego take for the word.
_AGENT = frozenset({"user-agent", "useragent", "user agent"})
_DISALLOW = frozenset({"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
_RULE = _DISALLOW | {"allow"}
# Records of others that occur in robots.txt: they say nothing here, but who writes them has written a robots.txt.
_OTHER = frozenset(
    {
        "sitemap",
        "sitemaps",
        "site-map",
        "crawl-delay",
        "crawl delay",
        "host",
        "clean-param",
        "request-rate",
        "visit-time",
    }
    | {"noindex", "nofollow", "content-signal", "content-usage", "license", "comment", "robot-version", "llms-txt"}
)
_BLANK = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + INVISIBLE
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKUP = re.compile(rb"\s*(?:<!doctype|<html|<\?xml|<head|<body|<[a-z]+[\s>])", re.IGNORECASE).match
_RECORD = re.compile(r"[A-Za-z][A-Za-z-]*").fullmatch
_TOKEN_END = re.compile(r"[/\s]")
_RFC_TOKEN = re.compile(r"[a-z_-]+").match
_COMPATIBLE = re.compile(r"compatible;\s*([^\s;/()]+)", re.IGNORECASE).search
_CANONICAL = re.compile(r"[/*][A-Za-z0-9._~/*!&'()+,;=:@-]*").fullmatch
_GAP = re.compile(rf"[{WHITE}]+")
_STARS = re.compile(rb"\*{2,}").sub


class Line(NamedTuple):
    """An Allow or Disallow line as it stands in the file."""

    allow: bool
    value: str
    number: int
    """1-based."""
    text: str


class Group(NamedTuple):
    """Consecutive `User-agent` lines and the rules below them."""

    agents: list[str]
    """The values of its `User-agent` lines, lower case."""
    lines: list[Line]


class Robots(NamedTuple):
    """A parsed file."""

    groups: list[Group]
    loose: list[Group]
    """The groups for a reader who knows odd spellings (`spelling`), and to whom a Disallow before any group is said to
    everyone; empty where the file has neither. Of 4,621 real files 15 begin with such rules: all are lists of paths
    (`/wp-admin/`) whose `User-agent` line was forgotten or is damaged, none closes a site."""
    parsable: bool
    """False where there is something in the file, but no line is a record or a comment: HTML, a message, bytes."""
    truncated: bool
    """True where the file goes on after SIZE_LIMIT."""
    text: str
    """The part that was read, undecodable bytes as surrogates."""


class Rule(NamedTuple):
    """A rule in the form in which it is matched."""

    allow: bool
    path: bytes
    """Canonical (see `match.canonicalise`), with `*` as wildcard and without the `$` of `anchored`."""
    anchored: bool
    line: int
    text: str


class RuleSet(NamedTuple):
    """Rules that one agent obeys under one reading, in the order in which they count: the first match decides."""

    agent: str
    rules: tuple[Rule, ...]
    first_match: bool = False
    """True for the older reading, which compares unescaped paths."""
    signal: str = "robots.txt"
    """The kind of statement, one of `policy.SIGNALS`."""
    agents: tuple[str, ...] = ()
    """All of the policy's agents that the set speaks to, in the policy's order; empty: `agent` alone."""


def parse(body: bytes) -> Robots:
    """Parse the bytes of a robots.txt; never raises.

    Lines end with CR, LF or CRLF. A group starts at a `User-agent` line that follows a rule; other records neither
    start nor end one (RFC 9309 section 2.2.4). White space may part a field from its value where the colon is missing.
    """
    recoded = utf8(body)
    decoded = body if recoded is None else recoded
    text = read_text(decoded)
    groups, orphan, record = _groups(text, str, lambda value: (value,))
    loose: list[Group] = []
    if orphan or is_odd(text):
        loose, _, also = _groups(text, plain_line, listed_agents)
        record = record or also
    # Style sheets and scripts in a page are full of `name: value` and `#`, but name no user agent.
    known = bool(groups or loose) or not text.strip(_BLANK) or (record and not _MARKUP(decoded))
    return Robots(groups, loose, known and recoded is not None, len(decoded) > SIZE_LIMIT, text)


def _groups(
    text: str, respelt: Callable[[str], str], names: Callable[[str], tuple[str, ...]]
) -> tuple[list[Group], bool, bool]:
    """The groups, whether a Disallow stands in none of them, and whether any line is a record or a comment."""
    groups: list[Group] = []
    named = naming = orphan = record = False
    white = WHITE if respelt is str else None
    for number, raw in enumerate(_LINE_END.split(text), 1):
        line = raw.partition("#")[0].strip(white)
        if not line:
            record = record or "#" in raw
            continue
        field, value = _field(respelt(line), white)
        if field in _AGENT:
            record = named = True
            if not naming:
                groups.append(Group([], []))
                naming = True
            groups[-1].agents.extend(names(value.lower()))
        elif field in _RULE:
            record = True
            naming = False
            if named and value:
                groups[-1].lines.append(Line(field == "allow", value, number, line))
            elif value and field != "allow":
                orphan = True
                if respelt is not str:
                    groups.append(Group(["*"], [Line(field == "allow", value, number, line)]))
        elif field in _OTHER or (":" in line and _RECORD(field)):
            record = True
    return groups, orphan, record


def rule_sets(
    robots: Robots, agents: Sequence[str], reading: Reading = "rfc9309", *, star: Star = "agent"
) -> tuple[RuleSet, ...]:
    """All that a file says to the agents, without sets that cannot deny anything.

    A target is denied if any set denies it. An agent obeys all groups that name it, else all `*` groups. A group names
    an agent if the declared token, up to `/` or white space and without `*`, is the agent's. Three other readers are
    asked too, and each may only add a denial: one that cuts the declared token to RFC 9309's `[A-Za-z_-]+`
    (`GPTBot2` names GPTBot), one that so cuts the agent's own name (a group `AI` names AI2Bot), and one that knows
    lists of agents and odd spellings (`Robots.loose`). Under `strict` the first-match reading is added. Sets of groups
    that name an agent come first, in the order of `agents`; an agent `*` stands for all that are only met by a `*`
    group. `RuleSet.agents` are all that obey the set. `star` as in `policy.Policy`: for all but `agent` there is no
    agent `*`, and for `ignore` no `*` group.
    """
    if star != "agent":
        agents = [agent for agent in agents if agent_token(agent) != "*"]
    found = _sets(robots.groups, agents, star)
    if robots.loose:
        seen = {one.rules for one in found}
        found += [one for one in _sets(robots.loose, agents, star) if one.rules not in seen]
    if reading == "strict":
        from lauter.stages.optout.robots.first_match import first_match_sets

        found += first_match_sets(robots.text, agents, star=star)
    return tuple(found)


class Naming(NamedTuple):
    """Which groups of a file name whom, by their place in it."""

    full: dict[str, tuple[int, ...]]
    """By declared token, up to `/` or white space and without `*`, and by whole declared values of several words."""
    short: dict[str, tuple[int, ...]]
    """By declared token as RFC 9309 section 2.2.1 cuts it, to `[A-Za-z_-]+`."""
    star: tuple[int, ...]
    """The `*` groups."""

    def groups_of(self, agent: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The groups that name an agent in full, and those that a reader who cuts tokens takes to name it.

        An agent of several words (`Kangaroo Bot`) is named in full by all of them, and by the first as one who cuts.
        """
        token = agent_token(agent)
        if token == "*":
            return (), ()
        words = agent.lower().split()
        if len(words) > 1 and words[0] == token:
            return self.full.get(" ".join(words), ()), self.full.get(token, ())
        cut = _RFC_TOKEN(token)
        short = None if cut is None else (self.short.get(token) if cut[0] == token else self.full.get(cut[0]))
        return self.full.get(token, ()), short or ()


def groups_by_name(groups: Sequence[Group]) -> Naming:
    """Index the groups of a file by the tokens that they declare; an empty token names nobody."""
    full: dict[str, list[int]] = {}
    short: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        names = [_declared(name) for name in group.agents]
        words = (" ".join(name.split()) for name in group.agents if " " in name or "\t" in name)
        for token in dict.fromkeys([*(token for token, _ in names), *words]):
            full.setdefault(token, []).append(i)
        for token in dict.fromkeys(token for _, token in names):
            short.setdefault(token, []).append(i)
    star = tuple(full.pop("*", ()))
    for index in (full, short):
        index.pop("", None)
    return Naming({t: tuple(g) for t, g in full.items()}, {t: tuple(g) for t, g in short.items()}, star)


def _sets(groups: list[Group], agents: Sequence[str], star: Star) -> list[RuleSet]:
    if not any(not line.allow for group in groups for line in group.lines):
        return []
    naming = groups_by_name(groups)
    named: dict[tuple[int, ...], list[str]] = {}
    unnamed: list[str] = []
    for agent in agents:
        full, cut = naming.groups_of(agent)
        if full:
            named.setdefault(full, []).append(agent)
        else:
            unnamed.append(agent)
        if cut:
            named.setdefault(cut, []).append(agent)
    speakers = {indices: obeying[0] for indices, obeying in named.items()}
    if unnamed and naming.star and star != "ignore":
        named.setdefault(naming.star, []).extend(unnamed)
        speakers.setdefault(naming.star, "*" if "*" in unnamed else unnamed[0])
    order = {agent: i for i, agent in enumerate(agents)}
    found = []
    for indices, obeying in named.items():
        rules = deciding_order([line for i in indices for line in groups[i].lines], relative=True)
        # What is allowed behind the last denial is allowed anyway.
        size = max((i for i, rule in enumerate(rules, 1) if not rule.allow), default=0)
        rules = rules[:size]
        if rules:
            all_obeying = tuple(sorted(dict.fromkeys(obeying), key=order.__getitem__))
            found.append(RuleSet(speakers[indices], rules, agents=all_obeying))
    return found


@lru_cache(4096)
def agent_token(agent: str) -> str:
    """The product token of an agent's name: up to `/` or white space, in lower case.

    Of a browser-like name it is the one after `compatible;`.

    >>> agent_token("CCBot/2.0"), agent_token("Mozilla/5.0 (compatible; GPTBot/1.1)")
    ('ccbot', 'gptbot')
    """
    inner = _COMPATIBLE(agent)
    token = (inner[1] if inner else _TOKEN_END.split(agent.strip(), maxsplit=1)[0]).lower()
    return token if token == "*" else token.replace("*", "")


def canonical_pattern(path: str, *, after_star: int = 0) -> bytes:
    """A rule's path in the form in which targets are compared (see `match.canonicalise`)."""
    if "%" not in path and _CANONICAL(path):
        return path.encode()
    data = np.frombuffer(path.encode("utf-8", "surrogateescape"), np.uint8)
    out = np.empty(3 * len(data), np.uint8)
    return out[: canonicalise(data, 0, len(data), 1, after_star, out, 0)].tobytes()


def _field(line: str, white: str | None) -> tuple[str, str]:
    """The field of a line in lower case, and its value; `white` is what may stand around them (None: all Unicode)."""
    field, colon, value = line.partition(":")
    field = field.strip(white).lower()
    if colon and (field in _RULE or field in _AGENT or field in _OTHER):
        return field, value.strip(white)
    # `Disallow /path`, `User agent GPTBot`, `Disallow /a:b`: the colon is missing or belongs to the value.
    words = _GAP.split(line, maxsplit=1)
    first = words[0].lower()
    if first in ("user", "user:") and len(words) == 2 and words[1].lower().startswith("agent "):
        return "user agent", words[1][6:].strip(white)
    if first in _RULE or first in _AGENT:
        return first, words[1].strip(white) if len(words) == 2 else ""
    return field, value.strip(white)


@lru_cache(4096)
def _declared(value: str) -> tuple[str, str]:
    head = _TOKEN_END.split(value.strip(), maxsplit=1)[0]
    full = head if head == "*" else head.replace("*", "")
    short = _RFC_TOKEN(head)
    return full, short[0] if short else ""


def deciding_order(lines: Sequence[Line], *, relative: bool) -> tuple[Rule, ...]:
    """The rules of a group in the order in which they count.

    Longest path first, in octets as canonically written; Allow before Disallow on a tie (RFC 9309 section 2.2.2); then
    file order. `relative`: a Disallow whose path begins with neither `/` nor `*`, which the RFC's grammar does not
    have, is read as if it began with `/` (`Disallow: private` is still an opt-out; `Allow: private` is nothing).
    """
    # (rank, canonical path, anchored, line): plain tuples, since a hostile file has 39,000 of them.
    ranked: list[tuple[int, bytes, bool, Line]] = []
    seen: set[tuple[bool, str]] = set()
    for line in lines:
        allow, path, _, _ = line
        if (allow, path) in seen:
            continue
        seen.add((allow, path))
        if path[0] != "/" and path[0] != "*":
            if allow or not relative:
                continue
            path = "/" + path
        anchored = path[-1] == "$"
        if anchored:
            path = path[:-1]
        form = canonical_pattern(path)
        ranked.append((-2 * (len(form) + anchored) - allow, form, anchored, line))
        if not allow and "%" in path and "*" in path:
            # Whether an escaped `/` behind a star is met in the path or in the query, the target decides. Both are
            # denied; an Allow keeps to the path, since it may not permit more than it says.
            other = canonical_pattern(path, after_star=1)
            if other != form:
                ranked.append((-2 * (len(other) + anchored), other, anchored, line))
    ranked.sort(key=itemgetter(0))
    rules: dict[tuple[bytes, bool], Line] = {}
    for _, form, anchored, line in ranked:
        if b"*" in form:
            # A run of stars is one star, and one at the end says nothing.
            if b"**" in form:
                form = _STARS(b"*", form)
            if not anchored and form[-1] == 42:
                form = form[:-1]
        # The first of equal rules decides.
        rules.setdefault((form, anchored), line)
    return tuple(
        Rule(line.allow, form, anchored, line.number, _evidence(line.text)) for (form, anchored), line in rules.items()
    )


def _evidence(text: str) -> str:
    if len(text) <= TEXT_LIMIT and text.isascii():
        return text
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean if len(clean) <= TEXT_LIMIT else clean[: TEXT_LIMIT - 1] + "…"
