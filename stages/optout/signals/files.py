"""What each of the four files of an origin says, apart from Allow and Disallow."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from lauter.stages.optout.robots.rules import Robots, parse
from lauter.stages.optout.signals.ai_txt import ai_txt_statements
from lauter.stages.optout.signals.content_signal import content_signal_statements
from lauter.stages.optout.signals.lines import evidence, records
from lauter.stages.optout.signals.rsl import rsl_statements
from lauter.stages.optout.signals.statement import Statement
from lauter.stages.optout.signals.tdmrep import tdmrep_statements
from lauter.stages.optout.signals.usage import usage_statements
from lauter.stages.optout.signals.words import word_statements

FileKind = Literal["robots.txt", "tdmrep.json", "ai.txt", "rsl"]

_markup = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[a-z!?]", re.IGNORECASE).match


class FileStatements(NamedTuple):
    """The statements of one file."""

    parsable: bool
    """False where the bytes are no file of that kind: JSON that breaks off at once, bytes that are no text."""
    statements: tuple[Statement, ...]
    """In file order."""


def file_statements(kind: FileKind, body: bytes) -> FileStatements:
    """Read one file; never raises.

    Of robots.txt: usage preferences, content signals, pointers to licences and reservations in words; its Allow and
    Disallow lines are `rules.rule_sets`. An empty body says nothing and is parsable. So is markup without a statement
    in the place of tdmrep.json or ai.txt: sites answer so, with status 200, for any path that they do not have, and few
    have these files. In the place of robots.txt, which nearly all have, it is a failure or a challenge, and not
    parsable; nor is it in the place of licence terms, which somebody points to.
    """
    if kind == "robots.txt":
        robots = parse(body)
        return FileStatements(robots.parsable, robots_statements(robots))
    if not body.strip():
        return FileStatements(parsable=True, statements=())
    if kind == "tdmrep.json":
        found = tdmrep_statements(body)
    elif kind == "ai.txt":
        found = ai_txt_statements(body)
    else:
        found = rsl_statements(body)
    no_file = found is None and kind != "rsl" and _markup(body) is not None
    return FileStatements(found is not None or no_file, found or ())


def robots_statements(robots: Robots) -> tuple[Statement, ...]:
    """The statements of a parsed robots.txt, for who has parsed it already; none of a file that is none."""
    if not robots.parsable:
        return ()
    found: list[Statement] = []
    for record in records(robots.text):
        if record.field == "content-usage":
            found.extend(usage_statements(record))
        elif record.field == "content-signal":
            found.extend(content_signal_statements(record))
        elif record.value:
            # RSL 1.0 has this line speak to every agent, whatever group it stands in.
            found.append(Statement("rsl-unread", "note", "/", (), record.number, evidence(record.value)))
    found.extend(word_statements(robots.text))
    return tuple(sorted(found, key=lambda one: one.line or 0))
