"""robots.txt read a second time, from RFC 9309 alone: exact agent names, no odd spellings, no kernels.

What this reader denies, the stage must have denied: it knows fewer ways to say no, and the same ways to say yes. So a
kept page that it denies is a violation, and a page that the stage dropped for a spelling is none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from lauter.stages.optout.robots.spelling import SIZE_LIMIT

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986 section 2.2, less the delimiters of path, query and fragment and the wildcard.
_RESERVED = frozenset(b"!$&'()+,;=:@[]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_RAW = re.compile(rb"[^!-~]|[\"<>\\^`{|}#]")
_PLAIN = re.compile(rb"[A-Za-z0-9/._~!&'()+,;=:@?-]*").fullmatch
_FIELD = re.compile(r"\s*([A-Za-z-]+)\s*:\s*(.*?)\s*$", re.DOTALL).match


class Line(NamedTuple):
    """A line of the file that speaks to a group."""

    field: str
    value: str
    number: int
    text: str


class Denied(NamedTuple):
    """Why a target is denied."""

    agent: str
    line: int
    text: str


class Rules:
    """The Allow and Disallow lines of all groups of one agent."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.deny: list[tuple[bytes, Line]] = []
        self.allow: list[bytes] = []
        for line in lines:
            path = normal_form(line.value.encode("utf-8", "surrogateescape"), pattern=True)
            if not path.startswith((b"/", b"*")):
                continue
            if line.field == "disallow":
                self.deny.append((path, line))
            elif line.field == "allow":
                self.allow.append(path)
        self._prefixes = tuple(path for path, _ in self.deny if b"*" not in path and not path.endswith(b"$"))
        self._patterns = [path for path, _ in self.deny if b"*" in path or path.endswith(b"$")]

    def denies(self, target: bytes) -> Line | None:
        """The longest Disallow that matches, unless an Allow of at least its length does (RFC 9309 section 2.2.2)."""
        # Nearly every kept page ends here: no Disallow matches at all.
        if not target.startswith(self._prefixes) and not any(matches(path, target) for path in self._patterns):
            return None
        found = [(path, line) for path, line in self.deny if matches(path, target)]
        path, line = max(found, key=lambda item: len(item[0]))
        longest = max((len(allow) for allow in self.allow if matches(allow, target)), default=-1)
        return None if longest >= len(path) else line


class RobotsFile:
    """One file, for a list of agents."""

    def __init__(self, body: bytes, agents: Sequence[str], star: str) -> None:
        """`star` as in `policy.Policy.star`."""
        self.groups = _groups(_text(body))
        by_token: dict[str, list[Line]] = {}
        for names, lines in self.groups:
            for name in dict.fromkeys(names):
                by_token.setdefault(name, []).extend(lines)
        self.empty = not by_token
        asked: dict[str, str] = {}
        for agent in agents:
            token = product_token(agent)
            if token == "*":
                if star == "agent":
                    asked.setdefault("*", agent)
            elif token in by_token:
                asked.setdefault(token, agent)
            elif star != "ignore" and ("*" not in agents or star == "fallback"):
                asked.setdefault("*", agent)
        self.asked = asked
        """Token of the group that is obeyed -> the first agent that obeys it."""
        self._rules = [(agent, Rules(by_token[token])) for token, agent in asked.items() if token in by_token]

    def denies(self, target: str) -> Denied | None:
        """The first agent that may not fetch a target (path and query), with the rule."""
        if target.partition("?")[0] == "/robots.txt":
            return None
        path = normal_form(target.encode("utf-8", "surrogatepass"), pattern=False)
        for agent, rules in self._rules:
            line = rules.denies(path)
            if line is not None:
                return Denied(agent, line.number, line.text)
        return None


def product_token(agent: str) -> str:
    """An agent's product token in lower case: up to `/` or white space."""
    return re.split(r"[/\s]", agent.strip(), maxsplit=1)[0].lower()


def matches(pattern: bytes, target: bytes) -> bool:
    """Whether a path pattern (`*`, final `$`) matches a target, by its literal pieces from left to right."""
    anchored = pattern.endswith(b"$")
    pieces = (pattern[:-1] if anchored else pattern).split(b"*")
    if not target.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    if len(pieces) == 1:
        return not anchored or at == len(target)
    for piece in pieces[1:-1]:
        at = target.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    last = pieces[-1]
    return target.endswith(last) and len(target) - len(last) >= at if anchored else target.find(last, at) >= 0


def normal_form(path: bytes, *, pattern: bool) -> bytes:
    """Path and query with every octet written in one way (RFC 9309 section 2.2.2, RFC 3986 section 6.2.2).

    Escaped unreserved and reserved octets are written plain, all others escaped in upper case; `/` and `?` are
    delimiters in the path, so there their escapes stay.
    """
    if _PLAIN(path):
        return path
    head, mark, query = path.partition(b"?")
    return _octets(head, b"", pattern=pattern) + mark + _octets(query, b"/?", pattern=pattern)


def _octets(text: bytes, also: bytes, *, pattern: bool) -> bytes:
    plain = _UNRESERVED | _RESERVED | frozenset(also)

    def escape(found: re.Match[bytes]) -> bytes:
        value = int(found[1], 16)
        return bytes([value]) if value in plain else b"%%%02X" % value

    text = _RAW.sub(lambda found: b"%%%02X" % found[0][0], text)
    if not pattern:
        text = text.replace(b"*", b"%2A")
    return _ESCAPE.sub(escape, text)


def _text(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    head = body[:SIZE_LIMIT]
    if len(body) > SIZE_LIMIT:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _groups(text: str) -> list[tuple[list[str], list[Line]]]:
    """Groups as (product tokens, lines); every line but user-agent lines is kept, for rules of other signals."""
    groups: list[tuple[list[str], list[Line]]] = []
    naming = False
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line = raw.partition("#")[0].strip()
        found = _FIELD(line)
        if not found:
            continue
        field, value = found[1].lower(), found[2]
        if field == "user-agent":
            if not naming:
                groups.append(([], []))
            naming = True
            groups[-1][0].append(product_token(value))
        elif field in ("allow", "disallow"):
            naming = False
            if groups and value:
                groups[-1][1].append(Line(field, value, number, line))
        elif groups:
            groups[-1][1].append(Line(field, value, number, line))
    return groups
