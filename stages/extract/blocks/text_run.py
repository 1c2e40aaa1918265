"""What is counted in the text of a block: a run of bytes between two tags at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.markup import FNV_PRIME, FNV_START, is_letter, is_space

CHARS, WORDS, LINKED, LINKS, WIDE, STOPS, COMMAS, DIGITS, CAPITALS, SYMBOLS, TAGS, BREAKS = range(12)
"""Columns of a block's row, all counts: code points that are no white space; words (runs of letters); code points in
links, and links; letters of scripts without spaces; ends of sentences; commas and semicolons; ASCII digits; words that
begin with an ASCII capital; signs that prose seldom has; inline tags; `<br>`."""
LAST, ELEMENT, TERMS, IN_PRE, LETTERS = range(12, 17)
"""What kind of character stands last (1 letter, 2 digit, 3 end of a sentence, 4 comma, 5 colon, 6 sign, 7 other
punctuation, 8 ellipsis); the innermost element that is not inline; hashes kept of its words; whether it is in a
`<pre>`; the letters of its words (bytes of ASCII, else code points)."""
COLUMNS = 17
MAX_TERMS = 24
"""So many words of a block are looked up: they decide short blocks, and a long one is known by its punctuation."""


@kernel
def after_blank(html: NDArray[np.uint8], at: int, end: int) -> int:
    """The first byte from `at` that is not white space; U+00A0 counts as such, also as `&nbsp;` and `&#160;`."""
    while at < end:
        width = _blank(html, at, end)
        if width == 0:
            break
        at += width
    return at


@kernel
def _blank(html: NDArray[np.uint8], at: int, end: int) -> int:
    # Bytes of the white space at `at`, 0 if none stands there.
    byte = html[at]
    if is_space(byte):
        return 1
    if byte == 194:
        return 2 if at + 1 < end and html[at + 1] == 160 else 0
    if byte != 38 or at + 5 >= end or html[at + 5] != 59:
        return 0
    a, b, c, d = html[at + 1], html[at + 2], html[at + 3], html[at + 4]
    named = a == 110 and b == 98 and c == 115 and d == 112
    return 6 if named or (a == 35 and b == 49 and c == 54 and d == 48) else 0


@kernel
def count_text(
    html: NDArray[np.uint8], at: int, end: int, row: NDArray[np.int32], terms: NDArray[np.uint64], links: int
) -> int:
    """Add what stands in html[at:end], which holds no tag, to a block's row and terms; returns its code points.

    `links` is how many links are open around it.
    """
    word, letters, chars = FNV_START, 0, 0
    while at < end:
        byte = html[at]
        width = _blank(html, at, end)
        letter = False
        if width > 0:
            at += width - 1
        elif is_letter(byte):
            letter = True
            row[CAPITALS] += letters == 0 and byte < 97
            word = (word ^ np.uint64(byte | 32)) * FNV_PRIME
            letters += 1
            chars += 1
            row[LAST] = 1
        elif byte < 128:
            chars += 1
            at = _ascii(html, at, end, row)
        elif byte >= 192:
            chars += 1
            letter = _wide(html, at, end, row)
            if letter:
                word = (word ^ np.uint64(byte)) * FNV_PRIME
                letters += 1
        elif letters > 0:
            letter = True
            word = (word ^ np.uint64(byte)) * FNV_PRIME
        if letters > 0 and not letter:
            _end_word(row, terms, word, letters)
            word, letters = FNV_START, 0
        at += 1
    if letters > 0:
        _end_word(row, terms, word, letters)
    row[CHARS] += chars
    if links > 0:
        row[LINKED] += chars
    return chars


@kernel
def _end_word(row: NDArray[np.int32], terms: NDArray[np.uint64], word: np.uint64, letters: int) -> None:
    row[WORDS] += 1
    row[LETTERS] += letters
    if row[TERMS] < MAX_TERMS:
        terms[row[TERMS]] = word
        row[TERMS] += 1


@kernel
def _ascii(html: NDArray[np.uint8], at: int, end: int, row: NDArray[np.int32]) -> int:
    # Counts a character that is no letter; returns its last byte, which is not its first for an entity.
    byte = html[at]
    if 48 <= byte <= 57:
        row[DIGITS] += 1
        row[LAST] = 2
    elif byte == 46 or byte == 33 or byte == 63:
        row[STOPS] += 1
        row[LAST] = 3
    elif byte == 44 or byte == 59:
        row[COMMAS] += 1
        row[LAST] = 4
    elif byte == 58:
        row[LAST] = 5
    elif byte == 38:
        stop = at + 1
        while stop < end and stop < at + 10 and html[stop] != 59 and not is_space(html[stop]):
            stop += 1
        if stop < end and html[stop] == 59:
            # &copy; and &raquo; stand for themselves, any other entity for a character of no kind.
            named = (html[at + 1] == 99 and html[at + 2] == 111) or (html[at + 1] == 114 and html[at + 2] == 97)
            row[SYMBOLS] += named
            return stop
        row[SYMBOLS] += 1
    elif byte == 124 or byte == 62 or byte == 35 or byte == 64 or byte == 47 or byte == 43 or byte == 61:
        row[SYMBOLS] += 1
        row[LAST] = 6
    elif byte != 34 and byte != 39 and byte != 41:  # a quote or bracket closes what stands before it
        row[LAST] = 7
    return at


@kernel
def _wide(html: NDArray[np.uint8], at: int, end: int, row: NDArray[np.int32]) -> bool:
    # Counts a character beyond ASCII by the first bytes of its UTF-8; says whether it is taken for a letter.
    a = html[at]
    b = html[at + 1] if at + 1 < end else 0
    c = html[at + 2] if at + 2 < end else 0
    # U+3002, U+FF01, U+FF1F, U+0964, U+061F, U+06D4
    fullwidth = a == 239 and b == 188
    if (
        (a == 227 and b == 128 and c == 130)
        or (fullwidth and (c == 129 or c == 159))
        or (a == 224 and b == 165 and c == 164)
        or (a == 216 and b == 159)
        or (a == 219 and b == 148)
    ):
        row[STOPS] += 1
        row[LAST] = 3
        return False
    # U+3001, U+FF0C, U+060C
    if (a == 227 and b == 128 and c == 129) or (fullwidth and c == 140) or (a == 216 and b == 140):
        row[COMMAS] += 1
        row[LAST] = 4
        return False
    if a == 194 or (a == 226 and b != 128):  # signs of Latin-1; arrows, boxes, stars
        row[SYMBOLS] += 1
        row[LAST] = 6
        return False
    if a == 226:  # dashes and quotes; U+2026 is the ellipsis
        if c == 166:
            row[LAST] = 8
        return False
    row[LAST] = 1
    row[WIDE] += 227 <= a <= 233 or (a == 224 and 184 <= b <= 187)
    return True
