"""Rows of (robots.txt, agent, URL) to the same rows with the answer of RFC 9309, for other people's test suites."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lauter.pipeline.origin import target_of
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.robots.standard import Decision, StandardReader, decide_all

# Rows and characters that are decided in one go: enough that a call of the kernel is no matter, bounded for files of
# 500 KiB in every row.
_ROWS = 4_096
_CHARACTERS = 32 * 1024 * 1024
# Equal files are parsed once, as long as this many characters of them are remembered.
_MEMO_CHARACTERS = 64 * 1024 * 1024
# Of a value that is told in an error.
_SHOWN = 80

_FULL_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]").match
# RFC 9309 section 2.2.2 matches the path of a URI, of whatever scheme; a suite asks of ftp. Words are no path.
_TARGET = re.compile(r"\s*(?:/|[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#])").match


class Question(NamedTuple):
    """What a row asks."""

    robots: str | bytes
    names: tuple[str, ...]
    """The names of one crawler."""
    target: str


class Files:
    """Files that were parsed already."""

    def __init__(self) -> None:
        self._read: dict[str | bytes, tuple[StandardReader, Mapping[str, bool]]] = {}
        self._size = 0

    def read(self, robots: str | bytes) -> tuple[StandardReader, Mapping[str, bool]]:
        """The file, and what is unusual about it."""
        known = self._read.get(robots)
        if known is None:
            if self._size > _MEMO_CHARACTERS:
                self._read.clear()
                self._size = 0
            self._size += len(robots) + 1000
            parsed = parse(robots if isinstance(robots, bytes) else robots.encode("utf-8", "surrogatepass"))
            unusual = {} if parsed.parsable else {"parsable": False}
            if parsed.truncated:
                unusual["truncated"] = True
            known = self._read[robots] = (StandardReader(parsed.groups), unusual)
        return known


def answer_rows(lines: Iterable[str | bytes]) -> Iterator[str]:
    """One line of JSON for each line, in order; blank lines are left out.

    A row has `robots` (text) or `robots_b64` (bytes in base64), `agent` (a name, or a list of names of one crawler)
    and `url` (a full URL, or a path that starts with `/`); where `url` is no full URL, `full_url` counts if there is
    one. It comes back with `allowed`, `rule` and
    `line` (of the rule that decided; null where none matches), `parsable: false` where the file has no line of a
    robots.txt, and `truncated: true` where it is longer than what is read. A row that cannot be answered comes back
    with `error` and `allowed: false`.
    """
    files = Files()
    held: list[tuple[dict[str, Any], Question | str]] = []
    size = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        held.append(_row(line, number))
        size += len(line)
        if len(held) >= _ROWS or size >= _CHARACTERS:
            yield from _answers(held, files)
            held, size = [], 0
    yield from _answers(held, files)


def _row(line: str | bytes, number: int) -> tuple[dict[str, Any], Question | str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}, f"line {number}: not JSON"
    if not isinstance(row, dict):
        return {}, f"line {number}: not an object"
    question = _question(row)
    return row, f"line {number}: {question}" if isinstance(question, str) else question


def _question(row: Mapping[str, Any]) -> Question | str:
    """What a row asks, or why it asks nothing."""
    try:
        robots = _file(row)
    except ValueError as error:
        return str(error)
    names = row.get("agent")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return "agent is no name and no list of names"
    url = row.get("url")
    if not (isinstance(url, str) and _FULL_URL(url)) and isinstance(row.get("full_url"), str):
        url = row["full_url"]
    if not isinstance(url, str):
        return "no url"
    if not _TARGET(url):
        return f"url {url[:_SHOWN]!r} is neither a full URL nor a path that starts with /"
    return Question(robots, tuple(names), target_of(url))


def _file(row: Mapping[str, Any]) -> str | bytes:
    """The file of a row. Raises ValueError where there is none, or two."""
    text, packed = row.get("robots"), row.get("robots_b64")
    if text is not None and packed is not None:
        raise ValueError("both robots and robots_b64: give one")
    if text is None and packed is None:
        raise ValueError("no robots or robots_b64 with the file")
    name, value = ("robots", text) if packed is None else ("robots_b64", packed)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text, but {json.dumps(value)[:_SHOWN]}")  # noqa: TRY004 - told in the row
    if packed is None:
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError("robots_b64 is no base64") from error


def _answers(held: list[tuple[dict[str, Any], Question | str]], files: Files) -> Iterator[str]:
    asked = [(question, *files.read(question.robots)) for _, question in held if isinstance(question, Question)]
    decisions = iter(decide_all([(reader.obeyed(question.names), question.target) for question, reader, _ in asked]))
    unusual = iter([more for _, _, more in asked])
    for row, question in held:
        if isinstance(question, Question):
            decision = next(decisions)
            error = None if decision.known else "the rules cannot be matched within the limit of comparisons"
            more = next(unusual)
        else:
            decision, error, more = Decision(allowed=False, rule=None, line=None), question, {}
        row["allowed"], row["rule"], row["line"] = decision.allowed, decision.rule, decision.line
        row.update(more)
        if error is not None:
            row["error"] = error
        try:
            yield json.dumps(row)
        except RecursionError:
            yield json.dumps({"allowed": False, "rule": None, "line": None, "error": "the row is nested too deeply"})
