"""ai.txt (Spawning): a file like robots.txt whose patterns name media types (`Disallow: *.txt`)."""

from __future__ import annotations

import re

from lauter.stages.optout.robots.rules import Line, parse
from lauter.stages.optout.robots.spelling import listed_agents
from lauter.stages.optout.signals.lines import evidence
from lauter.stages.optout.signals.statement import Statement

# `*.txt`, `/*.txt$`, `.txt`: what a generator writes for a medium, and not a path of the site.
_MEDIUM = re.compile(r"/?\*?(\.[a-z0-9]{1,8}|\.\*)\$?", re.IGNORECASE).fullmatch
_TEXT = frozenset({".txt", ".html", ".htm", ".xhtml", ".*"})
_EVERYTHING = frozenset({"/", "*", "/*", "*$", "/*$"})


def ai_txt_statements(body: bytes) -> tuple[Statement, ...] | None:
    """The statements in file order; None where the file holds no record at all (an HTML page of an error).

    A pattern for text, HTML or everything speaks of the whole origin, since a page is text whatever its URL ends in;
    one for another medium speaks of URLs with that ending; a path speaks of itself. Raises nothing.
    """
    robots = parse(body)
    if not robots.parsable:
        return None
    found: list[Statement] = []
    for group in robots.loose or robots.groups:
        agents = tuple(name for agent in group.agents for name in listed_agents(agent))
        found.extend(_statement(line, agents) for line in group.lines)
    return tuple(sorted(found, key=lambda one: one.line or 0))


def _statement(line: Line, agents: tuple[str, ...]) -> Statement:
    path = line.value
    medium = _MEDIUM(path)
    if path in _EVERYTHING or (medium and medium[1].lower() in _TEXT):
        path = "/"
    elif medium:
        path = f"/*{medium[1]}$"
    return Statement("ai.txt", "allow" if line.allow else "deny", path, agents, line.number, evidence(line.text))
