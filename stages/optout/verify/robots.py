"""robots.txt read a second time, from RFC 9309 alone: exact agent names, no odd spellings, no kernels.

What this reader denies, the stage must have denied: it knows fewer ways to say no, and the same ways to say yes. So a
kept page that it denies is a violation, and a page that the stage dropped for a spelling is none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from lauter.stages.optout.robots.spelling import SIZE_LIMIT

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986 section 2.2, less the delimiters of path, query and fragment and the wildcard.
_RESERVED = frozenset(b"!$&'()+,;=:@[]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_RAW = re.compile(rb"[^!-~]|[\"<>\\^`{|}#]")
# Nearly every path is its own normal form.
_PLAIN = re.compile(rb"[A-Za-z0-9/._~!$&'()+,;=:@?\[\]-]*").fullmatch
_PLAIN_PATTERN = re.compile(rb"[A-Za-z0-9/._~!$&'()+,;=:@?\[\]*-]*").fullmatch
_COMPATIBLE = re.compile(r"compatible;\s*([^\s;/()]+)", re.IGNORECASE).findall
_TOKEN_END = re.compile(r"[/\s]")

_RULES = frozenset({"allow", "disallow"})
_PREFERENCES = frozenset({"content-usage", "content-signal"})
# What a more forgiving reader takes for one of the fields, or for white space: there this one may miss an Allow.
_ODD_FIELD = re.compile(r"[^a-z]*(?:user.{0,3}agent|agent|di[as]|d[a-z]*llow|al?low|content|licen)").match
_ODD_TEXT = re.compile("[\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff\uff1a\ufe55]").search


# Field, value, 1-based number and text of a line; no class, since files have hundreds and most are never asked for.
Line = tuple[str, str, int, str]


class Preference(NamedTuple):
    """A Content-Usage or Content-Signal line, or a pointer to licence terms."""

    agents: tuple[str, ...]
    """Product tokens to whom it is said; empty before any is named: everyone."""
    field: str
    value: str
    number: int
    text: str


class Read(NamedTuple):
    """A file in its parts."""

    groups: list[tuple[list[str], list[Line]]]
    """Product tokens, and the Allow and Disallow lines that they obey."""
    preferences: list[Preference]
    odd: bool
    """Whether there is anything in it that another reader may read in another way."""


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
            path = normal_form(line[1].encode("utf-8", "surrogateescape"), pattern=True)
            if not path.startswith((b"/", b"*")):
                continue
            if line[0] == "disallow":
                self.deny.append((path, line))
            else:
                self.allow.append(path)

    def denies(self, target: bytes) -> Line | None:
        """The longest Disallow that matches, unless an Allow of at least its length does (RFC 9309 section 2.2.2)."""
        found = [(path, line) for path, line in self.deny if matches(path, target)]
        if not found:
            return None
        path, line = max(found, key=lambda item: len(item[0]))
        longest = max((len(allow) for allow in self.allow if matches(allow, target)), default=-1)
        return None if longest >= len(path) else line


class RobotsFile:
    """One file, for a list of agents."""

    def __init__(self, body: bytes, agents: Sequence[str], star: str) -> None:
        """`star` as in `policy.Policy.star`."""
        self.text = _text(body)
        self.groups, self.preferences, self.odd = _read(self.text)
        by_token: dict[str, list[Line]] = {}
        for names, lines in self.groups:
            for name in dict.fromkeys(names):
                by_token.setdefault(name, []).extend(lines)
        starred = star != "ignore" and ("*" not in agents or star == "fallback")
        asked: dict[str, str] = {}
        for agent in agents:
            token = product_token(agent)
            if token == "*":
                if star == "agent":
                    asked.setdefault("*", agent)
            elif token in by_token:
                asked.setdefault(token, agent)
            elif starred:
                asked.setdefault("*", agent)
        self.asked = asked
        """Token of the group that is obeyed -> the first agent that obeys it."""
        obeyed = () if self.odd else asked.items()
        self._rules = [(agent, Rules(by_token[token])) for token, agent in obeyed if token in by_token]
        paths = {path for _, rules in self._rules for path, _ in rules.deny}
        self._prefixes = tuple(path for path in paths if b"*" not in path and not path.endswith(b"$"))
        self._patterns = [(_longest_piece(path), path) for path in paths if b"*" in path or path.endswith(b"$")]

    def denies(self, target: bytes) -> Denied | None:
        """The first agent that may not fetch a target (path and query in normal form), with the rule."""
        # Nearly every kept page ends here: no Disallow of anyone matches at all.
        if not target.startswith(self._prefixes) and not any(
            piece in target and matches(path, target) for piece, path in self._patterns
        ):
            return None
        if own_file(target):
            return None
        for agent, rules in self._rules:
            line = rules.denies(target)
            if line is not None:
                return Denied(agent, line[2], line[3])
        return None


@lru_cache(4096)
def product_token(agent: str) -> str:
    """An agent's product token in lower case: up to `/` or white space."""
    return _TOKEN_END.split(agent.strip(), maxsplit=1)[0].lower()


def declared_token(value: str) -> str:
    """The token that a user-agent line declares; stars in it are nothing, alone one is everyone."""
    token = product_token(value)
    return token if token == "*" else token.replace("*", "")


def target_form(target: str) -> bytes:
    """A target (path and query) in the form in which it is matched."""
    return normal_form(target.encode("utf-8", "surrogatepass"), pattern=False)


def own_file(target: bytes) -> bool:
    """Whether a target is the robots.txt itself, which everyone may read (RFC 9309 section 2.2.2)."""
    return target.partition(b"?")[0] == b"/robots.txt"


def _longest_piece(pattern: bytes) -> bytes:
    return max(pattern.removesuffix(b"$").split(b"*"), key=len)


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
    delimiters in the path, so there their escapes stay. A `$` that ends a pattern is its anchor; one that is escaped
    there is not, so a star is put behind it.
    """
    if (_PLAIN_PATTERN if pattern else _PLAIN)(path):
        return path
    if pattern and path.endswith(b"%24"):
        path += b"*"
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


def _read(text: str) -> Read:
    """A run of user-agent lines ends for the rules below it at an Allow or Disallow (RFC 9309 section 2.2.1).

    For preferences, which the aipref draft makes rules too, it ends at a preference as well.
    """
    found = Read([], [], odd=False)
    odd, ascii_only = False, text.isascii()
    naming = running = False
    run: list[str] = []
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.partition("#")[0]
        odd = odd or (not ascii_only and _ODD_TEXT(line) is not None)
        line = line.strip()
        name, colon, value = line.partition(":")
        field, value = name.strip().lower(), value.strip()
        if field == "user-agent" and colon:
            token = declared_token(value)
            if not naming:
                found.groups.append(([], []))
            run = [*(run if running else ()), token, *map(str.lower, _COMPATIBLE(value))]
            naming = running = True
            found.groups[-1][0].append(token)
        elif field in _RULES and colon:
            naming = running = False
            if found.groups and value:
                found.groups[-1][1].append((field, value, number, line))
        elif field in _PREFERENCES and colon:
            running = False
            found.preferences.append(Preference(tuple(run), field, value, number, line))
        elif field == "license" and colon:
            found.preferences.append(Preference(tuple(run), field, value, number, line))
        elif _ODD_FIELD(field):
            odd = True
    return found._replace(odd=odd)
