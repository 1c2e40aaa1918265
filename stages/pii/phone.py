"""Telephone numbers, by libphonenumber's numbering plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lauter.stages.pii.candidates import PHONE_DIGITS

INTERNATIONAL = "ZZ"
"""The region of a number that names its own country (CLDR: unknown region)."""
_DIGITS = re.compile("[0-9]")
_YEAR = "(?:19|20)[0-9]{2}"
_DATE = re.compile(
    rf"[0-9]{{1,2}}([./-] ?)[0-9]{{1,2}}\1{_YEAR}(?![0-9])|{_YEAR}([./-] ?)[0-9]{{1,2}}\2[0-9]{{1,2}}(?![0-9])"
)
_DECIMAL = re.compile(r"\(?[0-9]\.[0-9]{4,}\Z")


def refine_international(_before: str, match: str, _after: str) -> tuple[int, int] | None:
    """Take a number with a country code and at least `PHONE_DIGITS` digits."""
    return (0, len(match)) if len(_DIGITS.findall(match)) >= PHONE_DIGITS and "+" in match else None


def refine_national(before: str, match: str, after: str) -> tuple[int, int] | None:
    """Take a national number unless it is written like a date or a decimal fraction, or is a part of a URL or number.

    On 52 MB of real pages these were half of what the German, Austrian, Swiss, British, French, Spanish, Italian and US
    plans took for numbers ("05.11.2014 18" is valid in Germany).
    """
    if len(_DIGITS.findall(match)) < PHONE_DIGITS or _DATE.search(match) or _DECIMAL.match(match):
        return None
    if re.search(r"[0-9][.,:/-]\Z|[/=]\Z", before) or re.match(r"[.,:/-]?[0-9]|[/.]\w", after):
        return None
    return 0, len(match)


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
