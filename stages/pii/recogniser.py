"""What a recogniser is: where it looks, what it matches there, and what it makes of the words around a match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

Refine = Callable[[str, str, str], tuple[int, int] | None]
"""(text before, match, text after) -> the part of the match to remove, as a range in it, or None if it is no hit.
A function of these three alone; `before` and `after` hold at most `CONTEXT_BYTES` of the same document."""

CONTEXT_BYTES = 64


class Recogniser(NamedTuple):
    """One kind of personal data."""

    type: str
    """The span's type: what `<…-pii>` says."""
    window: int
    """The kind of window it reads (`candidates`)."""
    find: Callable[[str], Iterable[tuple[int, int]]]
    """Ranges in a text, ascending; linear in its length."""
    refine: Refine


class PatternSource(Protocol):
    """What is used of Presidio's `PatternRecognizer`."""

    patterns: list[Pattern]

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether a match holds; None where there is nothing to check."""
        ...


class Pattern(Protocol):
    """What is used of Presidio's `Pattern`."""

    regex: str


def matches(recogniser: PatternSource) -> Callable[[str], Iterator[tuple[int, int]]]:
    """The matches of a Presidio pattern recogniser that its own validation does not refuse, in time linear in the text.

    `PatternRecognizer.analyze` compares every result with every other (4,000 e-mail addresses on one page: 8 million
    comparisons) and stops by the clock; here its patterns, which are bounded, and its validation run without either.
    """
    patterns = [re.compile(pattern.regex) for pattern in recogniser.patterns]

    def find(text: str) -> Iterator[tuple[int, int]]:
        for pattern in patterns:
            for match in pattern.finditer(text):
                if recogniser.validate_result(match[0]) is not False:
                    yield match.span()

    return find


def accept(_before: str, match: str, _after: str) -> tuple[int, int]:
    """Take the match as it is."""
    return 0, len(match)
