"""The words of a start tag that tell what stands in the element: of its class, id, role and itemprop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.markup import FNV_PRIME, FNV_START, is_letter, is_space, name_hash

_CLASS, _ID, _ROLE, _ITEMPROP = (np.uint64(name_hash(name)) for name in ("class", "id", "role", "itemprop"))
_STYLE, _HIDDEN, _ARIA_HIDDEN = (np.uint64(name_hash(name)) for name in ("style", "hidden", "aria-hidden"))
_WHOLE = np.uint64(0x9E3779B97F4A7C15)
"""Tells a name (`article-body`) from a word of one letter sequence (`articlebody`): both are FNV-1a of the letters."""


@kernel
def longer(array: NDArray[np.uint64], used: int) -> NDArray[np.uint64]:
    """The array, or one of twice its length with the same content where all of it is used."""
    if used < len(array):
        return array
    grown = np.zeros(2 * len(array), array.dtype)
    grown[:used] = array[:used]
    return grown


@kernel
def attribute_words(
    html: NDArray[np.uint8], at: int, end: int, words: NDArray[np.uint64], used: int
) -> tuple[NDArray[np.uint64], int, bool]:
    """Append the hashes of the words between `at` (after the tag's name) and `end` (after its `>`).

    A name is cut where a digit, a sign or a capital after a small letter stands: `postBody-2` gives `post`, `body` and,
    since there are several, the whole `postbody`. Returns the words (a longer array where they needed one), how many
    there are, and whether the element says that it is hidden (`hidden`, `aria-hidden="true"`, `display: none`).
    """
    hidden = False
    while at < end:
        while at < end and (is_space(html[at]) or html[at] == 47):
            at += 1
        begin, name = at, FNV_START
        while at < end and not (is_space(html[at]) or html[at] == 61 or html[at] == 47 or html[at] == 62):
            name = (name ^ np.uint64(html[at] | 32 if is_letter(html[at]) else html[at])) * FNV_PRIME
            at += 1
        if at == begin:
            at += 1
        while at < end and is_space(html[at]):
            at += 1
        if name == _HIDDEN:
            hidden = True
        if at >= end or html[at] != 61:
            continue
        at, start, stop = _value(html, at + 1, end)
        if name in (_CLASS, _ID, _ROLE, _ITEMPROP):
            words, used = _names(html, start, stop, words, used)
        elif name == _STYLE:
            hidden = hidden or _displays_none(html, start, stop)
        elif name == _ARIA_HIDDEN:
            hidden = hidden or stop - start == 4
    return words, used, hidden


@kernel
def _value(html: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int]:
    # Where the value that follows a `=` has been read, where it starts and where it stops.
    while at < end and is_space(html[at]):
        at += 1
    if at < end and (html[at] == 34 or html[at] == 39):
        quote, start = html[at], at + 1
        at = start
        while at < end and html[at] != quote:
            at += 1
        return at + 1, start, at
    start = at
    while at < end and not is_space(html[at]) and html[at] != 62:
        at += 1
    return at, start, at


@kernel
def _names(
    html: NDArray[np.uint8], start: int, stop: int, words: NDArray[np.uint64], used: int
) -> tuple[NDArray[np.uint64], int]:
    whole, word = FNV_START, FNV_START
    letters = parts = 0
    small = False
    for index in range(start, stop + 1):
        byte = html[index] if index < stop else 32
        letter = is_letter(byte) or byte >= 128
        capital = 65 <= byte <= 90
        if letters > 0 and (not letter or (capital and small)):
            if letters > 1:
                words = longer(words, used)
                words[used] = word
                used += 1
                parts += 1
            word, letters = FNV_START, 0
        if letter:
            lower = np.uint64(byte | 32 if byte < 128 else byte)
            word = (word ^ lower) * FNV_PRIME
            whole = (whole ^ lower) * FNV_PRIME
            letters += 1
        elif is_space(byte):
            if parts > 1:
                words = longer(words, used)
                words[used] = whole ^ _WHOLE
                used += 1
            whole, parts = FNV_START, 0
        small = letter and not capital
    return words, used


@kernel
def _displays_none(html: NDArray[np.uint8], at: int, stop: int) -> bool:
    # `none` after `y` and a colon: of the properties that take it and end in y only `display` hides.
    while at + 4 <= stop:
        if html[at] | 32 == 110 and html[at + 1] | 32 == 111 and html[at + 2] | 32 == 110 and html[at + 3] | 32 == 101:
            back = at - 1
            while back > 0 and is_space(html[back]):
                back -= 1
            if back > 0 and html[back] == 58 and html[back - 1] | 32 == 121:
                return True
        at += 1
    return False
