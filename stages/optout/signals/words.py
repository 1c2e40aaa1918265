"""Reservations in words: comments of robots.txt that reserve text and data mining or the training of models.

No parser of rules sees them: 23 of 204 German sites that reserve so block none of four common agents by rule (facts:
optout-signals, section 9). What they look like is data (`words.yaml`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from lauter.stages.optout.signals.lines import evidence, lines_of
from lauter.stages.optout.signals.statement import Statement

WINDOW = 300
"""Code points between a use and the words that reserve it: two or three lines of a comment. Of the real notices the
widest apart (New York Times, `Prohibited uses include … (2) the development of … artificial intelligence`) are 190."""

_SEPARATE = re.compile(r"[-=#*_~\s|+┃]*").fullmatch


class Patterns(NamedTuple):
    """The three kinds of words, each as one expression for text in lower case."""

    references: re.Pattern[str]
    uses: re.Pattern[str]
    reserves: re.Pattern[str]


@cache
def patterns() -> Patterns:
    """The expressions of `words.yaml`, all languages in one, since a notice mixes them."""
    data = yaml.safe_load((resources.files("lauter.stages.optout.signals") / "words.yaml").read_text("utf-8"))
    return Patterns(*(_union(data[kind]) for kind in Patterns._fields))


def _union(languages: dict[str, list[str]]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for patterns in languages.values() for pattern in patterns))


def word_statements(text: str) -> tuple[Statement, ...]:
    """One statement for each comment that reserves, with the line of the use or law that it names.

    A comment is a run of lines with `#`; lines of dashes and the like part nothing. It speaks to everyone and of the
    whole origin, whatever group it stands in. Raises nothing.
    """
    return tuple(
        Statement("words", "deny", "/", (), number, evidence(line))
        for number, line in map(_found, _comments(text))
        if line
    )


class _Comment(NamedTuple):
    words: str
    """Lower case, white space collapsed."""
    starts: list[int]
    """Where each line starts in `words`."""
    lines: list[tuple[int, str]]
    """Number and text of each line as written."""


def _comments(text: str) -> Iterator[_Comment]:
    if "#" not in text:
        return
    comment = _Comment("", [], [])
    parts: list[str] = []
    size = 0
    for number, raw in enumerate([*lines_of(text), ""], 1):
        _, mark, said = raw.partition("#")
        if not mark:
            if parts:
                yield comment._replace(words=" ".join(parts))
                comment, parts, size = _Comment("", [], []), [], 0
            continue
        if _SEPARATE(said):
            continue
        words = " ".join(_readable(said).lower().strip("#┃| \t").split())
        comment.starts.append(size)
        comment.lines.append((number, raw.strip()))
        parts.append(words)
        size += len(words) + 1


def _readable(text: str) -> str:
    """Bytes that are not UTF-8 as Windows-1252, in which the paragraph signs of such files are."""
    if text.isascii():
        return text
    return "".join(
        bytes([ord(c) - 0xDC00]).decode("cp1252", "replace") if "\udc80" <= c <= "\udcff" else c for c in text
    )


def _found(comment: _Comment) -> tuple[int, str]:
    """The line that holds the reference or use of a reservation; text "" where the comment is none."""
    known = patterns()
    match = known.references.search(comment.words)
    at = match.start() if match else _reserved_use(comment.words, known)
    return (0, "") if at is None else comment.lines[bisect_right(comment.starts, at) - 1]


def _reserved_use(words: str, known: Patterns) -> int | None:
    """Where the first use starts that has reserving words in its window."""
    uses = known.uses.finditer(words)
    use = next(uses, None)
    if use is None:
        return None
    for reserve in known.reserves.finditer(words):
        while use and use.end() + WINDOW < reserve.start():
            use = next(uses, None)
        if use is None:
            return None
        if reserve.end() + WINDOW >= use.start():
            return use.start()
    return None
