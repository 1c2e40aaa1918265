"""Telephone numbers, by libphonenumber's numbering plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator

INTERNATIONAL = "ZZ"
"""The region of a number that names its own country (CLDR: unknown region)."""


def matches(regions: tuple[str, ...]) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Numbers that are valid in a region's plan, as Presidio's `PhoneRecognizer` finds them (leniency VALID).

    Not through that recogniser, because it compares every result with every other.
    """
    from phonenumbers import Leniency, PhoneNumberMatcher

    def find(text: str) -> Iterator[tuple[int, int]]:
        for region in regions:
            for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID, max_tries=len(text) + 1):
                yield match.start, match.end

    return find
