"""How a text is written before the embedded language model reads it, the same in training and in use.

A function of code points, by tables of Unicode that are shipped (`kernels.characters`, `normal_form`):

1. each code point is lower-cased by its simple mapping, a final sigma becomes a sigma; joiners (U+200C, U+200D), soft
   hyphen and byte order mark are left out; what stands for an apostrophe becomes `'`;
2. words are the longest runs of letters, marks (general categories L and M), `'` and `-`;
3. each word is in normalisation form C. A dot above that follows an i is left out, so that the Turkish capital İ, the
   same letter in two code points and a plain i are one;
4. hyphens at the ends of a word are left out, and so is a word without a letter;
5. one space stands between two words. A byte that is not UTF-8 ends a word.

Digits, punctuation, symbols and line ends are thus gone, and `normalise` of its own result changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import ASCII_CLASS, LETTER, MARK, Integer, character_class, decode, lower
from lauter.stages.language.normal_form import CHANGES, EXPANSION, Tables, compose, decompose, property_of, tables

APOSTROPHES = "’‘´ʼʻꞌˈ′＇"
"""What is written for an apostrophe: quotation marks, acute accent, modifier letters, saltillo, prime, full width. Not
the grave accent, which is code more often."""
OMITTED = "\u200c\u200d\u00ad\ufeff"
"""Zero width non-joiner and joiner, soft hyphen, byte order mark."""

_APOSTROPHE, _HYPHEN, _SPACE, _DOT_ABOVE, _I = 0x27, 0x2D, 0x20, 0x307, 0x69
_FINAL_SIGMA, _SIGMA = 0x3C2, 0x3C3


class Normalised(NamedTuple):
    """Texts as `kernels.words.TextBuffers` has them, with the bytes first."""

    data: NDArray[np.uint8]
    """UTF-8 bytes of all texts."""
    offsets: NDArray[np.int64]
    """Shape (n + 1,), from 0: text i is `data[offsets[i]:offsets[i + 1]]`."""


def normalise(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Normalised:
    """The texts as the embedded model reads them.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
    """
    return Normalised(*normalise_all(data, offsets, tables()))


@kernel
def normalise_all(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], forms: Tables
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`normalise`, with the tables of normalisation form C."""
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    word = np.empty(EXPANSION * longest, np.int32)
    parts = np.empty(EXPANSION * longest, np.int32)
    classes = np.empty(EXPANSION * longest, np.uint8)
    out = np.empty(offsets[-1] - offsets[0] + 64, np.uint8)
    bounds = np.zeros(offsets.size, np.int64)
    size = 0
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        count, letters, last, changes = 0, 0, 0, False
        while True:
            code: Integer = np.int64(_SPACE)
            kind: Integer = np.int64(0)
            if at < end:
                if data[at] < 0x80:
                    code = np.int64(data[at])
                    kind = ASCII_CLASS[code]
                    if 65 <= code <= 90:
                        code += 32
                    at += 1
                else:
                    code, width = decode(data, at, end)
                    at += width
                    code = folded(code)
                    if code < 0:
                        continue
                    kind = character_class(code)
                    value = property_of(code, forms)
                    rank = value & 255
                    changes |= bool(value & CHANGES != 0 or (rank != 0 and last > rank))
                    last = int(rank)
                if code < 0x80:
                    last = 0
                if kind & (LETTER | MARK) or code == _APOSTROPHE or code == _HYPHEN:  # noqa: SIM109 - slower in a kernel
                    word[count] = code
                    count += 1
                    letters += kind & LETTER != 0
                    continue
                if count == 0 and at < end:
                    continue
            if letters:
                if changes:
                    length = decompose(word, count, forms, parts, classes)
                    length = without_dots(parts, classes, length)
                    count = compose(parts, classes, length, forms)
                    for index in range(count):
                        word[index] = parts[index]
                out, size = write(word, count, out, size, bounds[text])
            count, letters, last, changes = 0, 0, 0, False
            if at == end:
                break
        bounds[text + 1] = size
    return out[:size].copy(), bounds


@kernel
def folded(code: Integer) -> Integer:
    """Step 1 of the scheme for one code point; -1 for one that is left out."""
    if code == 0x200C or code == 0x200D or code == 0xAD or code == 0xFEFF:
        return np.int64(-1)
    if (
        0x2018 <= code <= 0x2019 or code == 0xB4 or 0x2BB <= code <= 0x2BC or code == 0xA78C or code == 0x2C8
        or code == 0x2032 or code == 0xFF07
    ):  # fmt: skip
        return np.int64(_APOSTROPHE)
    small = lower(code)
    return np.int64(_SIGMA) if small == _FINAL_SIGMA else small


@kernel
def without_dots(codes: NDArray[np.int32], classes: NDArray[np.uint8], size: int) -> int:
    """Leave out each dot above (U+0307) that follows an i in the decomposed `codes[:size]`; the new size."""
    kept = 0
    for index in range(size):
        if codes[index] == _DOT_ABOVE and kept and codes[kept - 1] == _I:
            continue
        codes[kept], classes[kept] = codes[index], classes[index]
        kept += 1
    return kept


@kernel
def write(
    codes: NDArray[np.int32], count: int, out: NDArray[np.uint8], size: int, start: Integer
) -> tuple[NDArray[np.uint8], int]:
    """Append the word `codes[:count]` without its outer hyphens to `out`, whose text begins at `start`.

    Returns:
        `out`, a longer copy where it was too short, and the bytes of it that are filled.
    """
    first, last = 0, count
    while first < last and codes[first] == _HYPHEN:
        first += 1
    while first < last and codes[last - 1] == _HYPHEN:
        last -= 1
    if size + 4 * count + 1 > out.size:
        longer = np.empty(out.size + out.size // 2 + 4 * count + 1, np.uint8)
        for index in range(size):
            longer[index] = out[index]
        out = longer
    if size > start:
        out[size] = _SPACE
        size += 1
    for index in range(first, last):
        code = np.int64(codes[index])
        if code < 0x80:
            out[size] = code
            size += 1
        elif code < 0x800:
            out[size] = 0xC0 | code >> 6
            out[size + 1] = 0x80 | code & 0x3F
            size += 2
        elif code < 0x10000:
            out[size] = 0xE0 | code >> 12
            out[size + 1] = 0x80 | code >> 6 & 0x3F
            out[size + 2] = 0x80 | code & 0x3F
            size += 3
        else:
            out[size] = 0xF0 | code >> 18
            out[size + 1] = 0x80 | code >> 12 & 0x3F
            out[size + 2] = 0x80 | code >> 6 & 0x3F
            out[size + 3] = 0x80 | code & 0x3F
            size += 4
    return out, size
