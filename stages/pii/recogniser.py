"""What a recogniser is: where it looks, what it matches there, and what it makes of the words around a match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from lauter.stages.pii.place import NOWHERE, Place

CONTEXT_BYTES = 64


class Hit(NamedTuple):
    """A match and what stands around it: `before` and `after` hold at most `CONTEXT_BYTES` of the same document."""

    before: str
    text: str
    after: str
    place: Place = NOWHERE


Refine = Callable[[Hit], tuple[int, int] | None]
"""The part of a match to remove, as a range in it, or None if it is no personal data. A function of the hit alone."""

Find = Callable[[str, tuple[str, ...]], Iterable[tuple[int, int]]]
"""Ranges in a text, ascending; linear in its length. It is told the regions of the documents that the text is of."""


class Recogniser(NamedTuple):
    """One kind of personal data."""

    type: str
    """The span's type: what `<…-pii>` says."""
    window: int
    """The kind of window it reads (`candidates`, `marks`, `key_blocks`)."""
    find: Find
    refine: Refine
    screen: Callable[[Hit], bool] | None = None
    """Whether it looks at a window at all, given as a hit: for what costs much more than a look at the words around."""
    regional: bool = False
    """Whether `find` reads the regions. Windows of several places are then not read together."""


class PatternSource(Protocol):
    """What is used of Presidio's `PatternRecognizer`."""

    patterns: list[Pattern]

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether a match holds; None where there is nothing to check."""
        ...


class Pattern(Protocol):
    """What is used of Presidio's `Pattern`."""

    regex: str


def matches(recogniser: PatternSource) -> Find:
    """The matches of a Presidio pattern recogniser that its own validation does not refuse, in time linear in the text.

    `PatternRecognizer.analyze` compares every result with every other (4,000 e-mail addresses on one page: 8 million
    comparisons) and stops by the clock; here its patterns, which are bounded, and its validation run without either.
    """
    patterns = [re.compile(pattern.regex) for pattern in recogniser.patterns]

    def find(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for pattern in patterns:
            for match in pattern.finditer(text):
                if recogniser.validate_result(match[0]) is not False:
                    yield match.span()

    return find


def accept(hit: Hit) -> tuple[int, int]:
    """Take the match as it is."""
    return 0, len(hit.text)
