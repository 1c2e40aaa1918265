"""Text as units to compare: words in lower case without punctuation, or single characters where no spaces are written.

    unit    = a run of letters, marks and digits after NFKC and case folding; in scripts without spaces each character
    weight  = 2 for a word, 1 for a character of a script without spaces
    gram    = the last units up to and with a given one that weigh 16 or more: eight words, or sixteen characters

What stands between two units (white space, punctuation, symbols) is no part of a gram, up to `LONGEST_GAP` characters.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass, field
from functools import cache, lru_cache

GRAM_WEIGHT = 16
"""Eight words. Of the grams of 1,581 real pages this share stood on pages of other sites too, near-copies aside: 1.5e-2
at four words, 1.0e-3 at six, 4.3e-4 at eight, 2.9e-4 at ten: beyond eight little is won, and short quotes are lost.
"""
WORD_WEIGHT = 2

LONGEST_WORD = 256
"""Characters after which a word is cut: what is held back stays bounded on text without any space."""
MARKS = 16
"""Marks on a character of a script without spaces."""
LONGEST_GAP = 256
"""Characters between two units after which no gram goes on."""
WORDS_HELD = 1 << 16

# Scripts that are written without spaces between words: Thai and Lao, Tibetan, Myanmar, Khmer, Tai Le and New Tai Lue,
# Tai Tham, kana and Bopomofo, Han with its extensions, Yi, half-width kana.
SPACELESS = (
    (0x0E00, 0x0EFF),
    (0x0F00, 0x0FFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x1950, 0x19DF),
    (0x1A20, 0x1AAF),
    (0x3005, 0x3007),
    (0x3031, 0x3035),
    (0x3041, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x1B000, 0x1B16F),
    (0x20000, 0x323AF),
)


GAP = ""
"""The text of a gap: a place, of no weight, that no gram crosses."""


@dataclass(slots=True)
class Units:
    """Units in order, as columns: a row of Python objects a unit would cost more than the hashing."""

    texts: list[str] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    """Places in the stream, in characters; a unit is [start, end)."""
    ends: list[int] = field(default_factory=list)

    def add(self, text: str, weight: int, start: int, end: int) -> None:
        """Append a unit."""
        self.texts.append(text)
        self.weights.append(weight)
        self.starts.append(start)
        self.ends.append(end)

    def drop(self, count: int) -> None:
        """Forget the first units."""
        for column in (self.texts, self.weights, self.starts, self.ends):
            del column[:count]


class UnitStream:
    """Cuts text that comes in pieces into units; how it is cut into pieces makes no difference."""

    def __init__(self) -> None:
        self.scanned = 0
        """Characters up to which units were given: what comes later may still go on."""
        self._rest = ""
        self._last: int | None = 0
        """Where the last unit ended; None behind a gap."""

    def feed(self, text: str, into: Units, *, final: bool) -> None:
        """Add the units that are whole now; `final` says that nothing follows."""
        text = self._rest + text
        base, rest, length = self.scanned, len(text), len(text)
        for match in _patterns()[0].finditer(text):
            start, end = match.span()
            if end == length and not final and end - start < LONGEST_WORD:
                rest = start
                break
            for unit, weight in _normalised(match[0]):
                if self._last is None or base + start - self._last > LONGEST_GAP:
                    self._gap(base + start, into)
                into.add(unit, weight, base + start, base + end)
                self._last = base + end
        self.scanned, self._rest = base + rest, text[rest:]
        self._gap(self.scanned, into)

    def _gap(self, place: int, into: Units) -> None:
        """Note a gap if the next unit, at `place` or later, is too far from the last one."""
        if self._last is not None and place - self._last > LONGEST_GAP:
            into.add(GAP, 0, self._last, place)
            self._last = None


@lru_cache(maxsize=WORDS_HELD)
def _normalised(raw: str) -> tuple[tuple[str, int], ...]:
    """(unit, weight) of a piece of raw text: none where it holds format characters only, several for a ligature."""
    if raw.isascii():
        return ((raw.lower(), WORD_WEIGHT),)
    visible = "".join(character for character in raw if unicodedata.category(character) != "Cf")
    found = _patterns()[1].findall(unicodedata.normalize("NFKC", visible).casefold())
    return tuple((one or word, 1 if one else WORD_WEIGHT) for one, word in found)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A piece of raw text: a character of a script without spaces with its marks, or a word; and the same in groups.

    Format characters (soft hyphens, joiners) belong to the words in which they stand.
    """
    categories = [unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)]
    letters = {code for code, category in enumerate(categories) if category[0] in "LMN" or category == "Cf"}
    marks = {code for code in letters if categories[code][0] == "M"}
    spaceless = {code for first, last in SPACELESS for code in range(first, last + 1)} & letters
    one = f"[{_class(spaceless)}][{_class(marks)}]{{0,{MARKS}}}"
    word = f"[{_class(letters - spaceless)}]{{1,{LONGEST_WORD}}}"
    return re.compile(f"{one}|{word}"), re.compile(f"({one})|({word})")


def _class(codes: set[int]) -> str:
    """Code points as ranges of a character class."""
    ordered = sorted(codes)
    starts = [code for code in ordered if code - 1 not in codes]
    ends = [code for code in ordered if code + 1 not in codes]
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in zip(starts, ends, strict=True))
