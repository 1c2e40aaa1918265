"""Lines of a robots.txt that are neither Allow nor Disallow, and the agents of the group in which each stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from lauter.stages.optout.robots.rules import TEXT_LIMIT
from lauter.stages.optout.robots.spelling import listed_agents, plain_line

Field = Literal["content-usage", "content-signal", "license"]

_LINE_END = re.compile(r"\r\n|\r|\n")
# A file without one of these words has no such line: 4 of 5 real files are done with this one search.
_ANY = re.compile(r"content[\s_-]?(?:usage|signal)|licen[cs]e", re.IGNORECASE).search
_AGENT = re.compile(r"user[\s_-]*agents?\s*(?::|\s)\s*(.*)", re.IGNORECASE).fullmatch
_RULE = re.compile(r"(?:allow|dis?s?all?[oa]w|diasllow)\b", re.IGNORECASE).match
_FIELD = re.compile(r"(?:content[\s_-]?(usage|signal)s?|licen[cs]e)\s*(?::|\s)\s*(.*)", re.IGNORECASE).fullmatch


class Record(NamedTuple):
    """One such line."""

    field: Field
    value: str
    agents: tuple[str, ...]
    """The declared agents of its group, lower case; empty before the first group."""
    number: int
    """1-based."""
    text: str
    """The line as written, without its comment."""


def lines_of(text: str) -> list[str]:
    """The lines of a file that end with CR, LF or CRLF (RFC 9309 section 2.2)."""
    return _LINE_END.split(text)


def records(text: str) -> Iterator[Record]:
    """The lines in file order.

    A group is a run of `User-agent` lines. Allow, Disallow and the preference lines end the run, since the aipref
    draft makes them rules of the group; records of others (`Sitemap`) do not.
    """
    if not _ANY(text):
        return
    named: list[str] = []
    agents: tuple[str, ...] = ()
    naming = False
    for number, raw in enumerate(lines_of(text), 1):
        written = raw.partition("#")[0].strip()
        if not written:
            continue
        line = plain_line(written)
        agent = _AGENT(line)
        if agent:
            if not naming:
                named, naming = [], True
            named.extend(listed_agents(agent[1].strip().lower()))
            continue
        found = _FIELD(line)
        if naming and ((found and found[1]) or _RULE(line)):
            # One tuple for all lines of the group: `sets` reads it once.
            agents, naming = tuple(named), False
        if found:
            field: Field = "license"
            if found[1]:
                field = "content-usage" if found[1].lower() == "usage" else "content-signal"
            # The path of a preference may hold a backslash that `plain_line` would turn; the value is as written.
            value = _FIELD(written)
            yield Record(field, (value or found)[2].strip(), agents, number, written)


def split_path(value: str) -> tuple[str, str]:
    """Path and rest of a preference: a path starts with `/` and ends at the first space or tab; else it is `/`.

    >>> split_path("/blog/* train-ai=n"), split_path("train-ai=n")
    (('/blog/*', 'train-ai=n'), ('/', 'train-ai=n'))
    """
    if not value.startswith("/"):
        return "/", value
    parts = re.split(r"[ \t]+", value, maxsplit=1)
    return parts[0], parts[1] if len(parts) == 2 else ""


def evidence(text: str) -> str:
    """Text that can be stored: undecodable bytes replaced, at most TEXT_LIMIT code points."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean if len(clean) <= TEXT_LIMIT else clean[: TEXT_LIMIT - 1] + "…"
