"""What a robots.txt says to an agent: RFC 9309, read so that no opt-out is lost to a spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from lauter.stages.optout.index.match import canonicalise
from lauter.stages.optout.robots.spelling import (
    INVISIBLE,
    SIZE_LIMIT,
    is_odd,
    listed_agents,
    plain_line,
    read_text,
    utf8,
)

TEXT_LIMIT = 500
"""Code points of a rule's text that are kept as evidence; the line number leads to the rest."""

Reading = Literal["rfc9309", "strict"]

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
_INDEX = re.compile(rb"/index\.html?").search


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
    for number, raw in enumerate(_LINE_END.split(text), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            record = record or "#" in raw
            continue
        field, value = _field(respelt(line))
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


def rule_sets(robots: Robots, agents: Sequence[str], reading: Reading = "rfc9309") -> tuple[RuleSet, ...]:
    """All that a file says to the agents, without sets that cannot deny anything.

    A target is denied if any set denies it. An agent obeys all groups that name it, else all `*` groups. A group names
    an agent if the declared token, up to `/` or white space and without `*`, is the agent's. Three other readers are
    asked too, and each may only add a denial: one that cuts the declared token to RFC 9309's `[A-Za-z_-]+`
    (`GPTBot2` names GPTBot), one that so cuts the agent's own name (a group `AI` names AI2Bot), and one that knows
    lists of agents and odd spellings (`Robots.loose`). Under `strict` the first-match reading is added. Sets of groups
    that name an agent come first, in the order of `agents`; an agent `*` stands for all that are only met by a `*`
    group.
    """
    found = _sets(robots.groups, agents)
    if robots.loose:
        seen = {one.rules for one in found}
        found += [one for one in _sets(robots.loose, agents) if one.rules not in seen]
    if reading == "strict":
        from lauter.stages.optout.robots.first_match import first_match_sets

        found += first_match_sets(robots.text, agents)
    return tuple(found)


def _sets(groups: list[Group], agents: Sequence[str]) -> list[RuleSet]:
    if not any(not line.allow for group in groups for line in group.lines):
        return []
    by_full: dict[str, tuple[int, ...]] = {}
    by_short: dict[str, tuple[int, ...]] = {}
    for i, group in enumerate(groups):
        names = [_declared(name) for name in group.agents]
        for full in dict.fromkeys(full for full, _ in names):
            by_full[full] = (*by_full.get(full, ()), i)
        for short in dict.fromkeys(short for _, short in names):
            by_short[short] = (*by_short.get(short, ()), i)
    named: dict[tuple[int, ...], str] = {}
    unnamed: list[str] = []
    for agent in agents:
        token = agent_token(agent)
        if token != "*" and token in by_full:
            named.setdefault(by_full[token], agent)
        else:
            unnamed.append(agent)
        cut = _RFC_TOKEN(token)
        if cut is None:
            continue
        others = by_short.get(token) if cut[0] == token else by_full.get(cut[0])
        if others:
            named.setdefault(others, agent)
    if unnamed and "*" in by_full:
        named.setdefault(by_full["*"], "*" if "*" in unnamed else unnamed[0])
    found = []
    for indices, agent in named.items():
        rules = _deciding_order([line for i in indices for line in groups[i].lines])
        if rules:
            found.append(RuleSet(agent, rules))
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


def _field(line: str) -> tuple[str, str]:
    field, colon, value = line.partition(":")
    field = field.strip().lower()
    if colon and (field in _RULE or field in _AGENT or field in _OTHER):
        return field, value.strip()
    # `Disallow /path`, `User agent GPTBot`, `Disallow /a:b`: the colon is missing or belongs to the value.
    words = line.split(None, 1)
    first = words[0].lower() if words else ""
    if first in ("user", "user:") and len(words) == 2 and words[1].lower().startswith("agent "):
        return "user agent", words[1][6:].strip()
    if first in _RULE or first in _AGENT:
        return first, words[1].strip() if len(words) == 2 else ""
    return field, value.strip()


@lru_cache(4096)
def _declared(value: str) -> tuple[str, str]:
    head = _TOKEN_END.split(value.strip(), maxsplit=1)[0]
    full = head if head == "*" else head.replace("*", "")
    short = _RFC_TOKEN(head)
    return full, short[0] if short else ""


def _deciding_order(lines: list[Line]) -> tuple[Rule, ...]:
    # Longest path first, Allow before Disallow on a tie (RFC 9309 section 2.2.2), then file order.
    ranked: list[tuple[int, bool, int, Rule]] = []
    for line in lines:
        value = line.value
        if not value.startswith(("/", "*")):
            # The RFC has no such path. `Disallow: private` is still an opt-out; `Allow: private` is nothing.
            if line.allow:
                continue
            value = "/" + value
        anchored = value.endswith("$")
        path = value[:-1] if anchored else value
        forms = {canonical_pattern(path)}
        if "*" in path and "%" in path:
            # Whether an escaped `/` behind a star is met in the path or in the query, the target decides.
            forms.add(canonical_pattern(path, after_star=1))
        for form in forms:
            rule = Rule(line.allow, form, anchored, line.number, _evidence(line.text))
            ranked.append((-len(form) - anchored, not line.allow, line.number, rule))
            index = _INDEX(form) if line.allow and not anchored else None
            if index and index.end() == len(form):
                # Google and Protego: who allows /a/index.html allows /a/, the same document.
                folder = rule._replace(path=form[: index.start() + 1], anchored=True)
                ranked.append((-len(folder.path) - 1, False, line.number, folder))
    ranked.sort(key=lambda item: (item[0], item[1], item[2], item[3].path))
    while ranked and ranked[-1][3].allow:
        ranked.pop()  # What no rule denies is allowed anyway.
    return tuple(item[3] for item in ranked)


def _evidence(text: str) -> str:
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean if len(clean) <= TEXT_LIMIT else clean[: TEXT_LIMIT - 1] + "…"
