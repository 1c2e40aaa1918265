"""The prefilter for what `candidates` has no trigger for: tokens, hardware addresses, signs in words, coordinates.

One look at each byte for a few signs and for a `d` that begins the word "dot", and less than one for long runs: where
the last of twenty bytes is no letter or digit, no run of twenty lies over them, and the next look is twenty bytes on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

RUN, HARDWARE, SPELT, COORDINATE = range(9, 13)
"""Kinds of window, beside those of `candidates`. SPELT: an e-mail address whose at sign or dots are words."""

RUN_LENGTH = 20
"""The shortest secret in one run: AWS's key ids, and the head of a JSON web token."""
RUN_MARGIN = 48
"""Bytes before a run that belong to its window: what a token is called, and its shorter parts."""
RUN_REACH = 4096
"""Bytes from the beginning of a run to the end of its window: a web token has some hundred, an RSA-signed one more."""
SPELT_LEFT, SPELT_RIGHT = 144, 208
"""Bytes on either side of a written-out sign: a local part of three words before it, a domain of four behind it."""
SPELT_WORD = 16
"""Bytes between the brackets of an at sign."""
COORDINATE_REACH = 40
"""Bytes on either side of a decimal point or degree sign."""

_HEX, _DIGIT, _UPPER, _LOWER, _TOKEN, _WIDE, _MARK, _FIRST = (np.uint8(1 << bit) for bit in range(8))
_ALPHANUMERIC = np.uint8(_DIGIT | _UPPER | _LOWER)


def _byte_classes() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for classes, members in (
        (_HEX | _DIGIT | _TOKEN | _WIDE, b"0123456789"),
        (_UPPER | _TOKEN | _WIDE, bytes(range(65, 91))),
        (_LOWER | _TOKEN | _WIDE, bytes(range(97, 123))),
        (_HEX, b"abcdefABCDEF"),
        (_TOKEN | _WIDE, b"_-"),
        (_WIDE, b"./+=:~%$!"),
        (_MARK, b":-.[({<&dD\xc2"),
        # How the words for the sign begin: at, arroba, chiocciola, kukac, zavinac, malpa, snabel-a, et; then the first
        # bytes of ä and à, and of the Cyrillic small letters.
        (_FIRST, b"aA@cCkKzZmMsSeE\xc3\xd0\xd1"),
    ):
        table[np.frombuffer(members, np.uint8)] |= np.uint8(classes)
    return table


_CLASS = _byte_classes()


@kernel
def _next_mark(data: NDArray[np.uint8], position: int, end: int) -> int:
    """The first mark in data[position:end], or `end`; a function of its own, as in `candidates`."""
    while position < end and not _CLASS[data[position]] & _MARK:
        position += 1
    return position


@kernel
def _next_run(data: NDArray[np.uint8], position: int, end: int) -> int:
    """Where the first run of `RUN_LENGTH` bytes in data[position:end] starts, or `end`; none ends at `position`."""
    while position + RUN_LENGTH <= end:
        last = position + RUN_LENGTH - 1
        while last >= position and _CLASS[data[last]] & _TOKEN:
            last -= 1
        if last < position:
            return position
        position = last + 1
    return end


@kernel
def _all(data: NDArray[np.uint8], start: int, stop: int, wanted: np.uint8) -> bool:
    """Whether all bytes of data[start:stop] are of a class."""
    good = True
    for position in range(start, stop):
        good &= (_CLASS[data[position]] & wanted) != 0
    return good


@kernel
def _hardware(data: NDArray[np.uint8], i: int, begin: int, end: int) -> int:
    """Bytes of a hardware address whose first separator is at i: 17, 14 (three groups, Cisco's form), or 0."""
    c = data[i]
    if (
        (c == 58 or c == 45)
        and i - 2 >= begin
        and i + 15 <= end
        and data[i + 3] == c
        and data[i + 6] == c
        and data[i + 9] == c
        and data[i + 12] == c
        and _all(data, i - 2, i, _HEX)
        and _all(data, i + 1, i + 3, _HEX)
        and not (i - 3 >= begin and data[i - 3] == c)
    ):
        return 17
    if (
        c == 46
        and i - 4 >= begin
        and i + 10 <= end
        and data[i + 5] == 46
        and _all(data, i - 4, i, _HEX)
        and _all(data, i + 1, i + 5, _HEX)
        and _all(data, i + 6, i + 10, _HEX)
    ):
        return 14
    return 0


@kernel
def _is_spelt(data: NDArray[np.uint8], i: int, begin: int, end: int) -> bool:
    """Whether the mark at i is a written-out sign: a word in brackets, "dot" as a word, or an entity."""
    c = data[i]
    if c == 38:  # "&": "&#64;", "&#x40;", "&commat;"
        number = i + 5 <= end and data[i + 1] == 35 and (data[i + 2] == 54 or data[i + 2] == 120)
        return number or (i + 5 <= end and data[i + 1] == 99 and data[i + 2] == 111)
    if c == 100 or c == 68:  # "d"
        return (
            i + 3 < end
            and i > begin
            and (data[i + 1] | 32) == 111
            and (data[i + 2] | 32) == 116
            and not _CLASS[data[i - 1]] & _ALPHANUMERIC
            and not _CLASS[data[i + 3]] & _ALPHANUMERIC
        )
    j = i + 1
    if j < end and data[j] == 32:
        j += 1
    if j >= end or not _CLASS[data[j]] & _FIRST:
        return False
    stop = min(end, j + SPELT_WORD)
    while j < stop:
        if data[j] == 93 or data[j] == 41 or data[j] == 125 or data[j] == 62:
            if j + 1 < end and data[j + 1] == 32:
                j += 1
            return j + 1 < end and bool(_CLASS[data[j + 1]] & _ALPHANUMERIC or data[j + 1] > 127)
        if data[j] == 10 or data[j] == c or (data[j] == 32 and j + 1 < end and _CLASS[data[j + 1]] & _ALPHANUMERIC):
            return False
        j += 1
    return False


@kernel
def _line(data: NDArray[np.uint8], i: int, left: int, right: int) -> tuple[int, int]:
    """The part of data[left:right] around i that is one line, without half characters at its ends."""
    start = stop = i
    while start > left and data[start - 1] != 10:
        start -= 1
    while stop < right and data[stop] != 10:
        stop += 1
    while start < i and data[start] & 0xC0 == 0x80:
        start += 1
    while stop > i + 1 and stop == right and data[stop - 1] & 0x80:
        stop -= 1
    return start, stop


@kernel
def scan(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    wanted: int,
    limit: int,
    beyond: NDArray[np.bool_],
    skipped: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], int]:
    """As `candidates.scan`, for the kinds of this file."""
    out = np.empty((256, 4), np.int64)
    count = 0
    marks = (1 << HARDWARE) | (1 << SPELT) | (1 << COORDINATE)
    for row in range(offsets.size - 1):
        if skipped[row]:
            continue
        before = count
        begin, end = offsets[row], offsets[row + 1]
        i = begin if wanted & marks else end
        while count - before <= limit:
            i = _next_mark(data, i, end)
            if i >= end:
                break
            if count + 4 > out.shape[0]:
                grown = np.empty((out.shape[0] * 2, 4), np.int64)
                grown[:count] = out[:count]
                out = grown
            c = data[i]
            if c == 58 or c == 45 or c == 46:
                if wanted & (1 << HARDWARE):
                    size = _hardware(data, i, begin, end)
                    if size:
                        left = i - 2 if size == 17 else i - 4
                        out[count] = (HARDWARE, row, left, left + size)
                        count += 1
                if (
                    wanted & (1 << COORDINATE)
                    and c == 46
                    and i > begin
                    and i + 5 <= end
                    and _CLASS[data[i - 1]] & _DIGIT
                    and _all(data, i + 1, i + 5, _DIGIT)
                ):
                    left, right = _line(data, i, max(begin, i - COORDINATE_REACH), min(end, i + COORDINATE_REACH))
                    out[count] = (COORDINATE, row, left, right)
                    count += 1
            elif c == 0xC2:  # the first byte of the degree sign
                degree = i > begin and i + 1 < end and data[i + 1] == 0xB0 and _CLASS[data[i - 1]] & _DIGIT
                if wanted & (1 << COORDINATE) and degree:
                    left, right = _line(data, i - 1, max(begin, i - COORDINATE_REACH), min(end, i + COORDINATE_REACH))
                    out[count] = (COORDINATE, row, left, right)
                    count += 1
            elif wanted & (1 << SPELT) and _is_spelt(data, i, begin, end):
                left, right = _line(data, i, max(begin, i - SPELT_LEFT), min(end, i + SPELT_RIGHT))
                out[count] = (SPELT, row, left, right)
                count += 1
            i += 1
        i = begin if wanted & (1 << RUN) else end
        while count - before <= limit:
            i = _next_run(data, i, end)
            if i >= end:
                break
            if count + 4 > out.shape[0]:
                grown = np.empty((out.shape[0] * 2, 4), np.int64)
                grown[:count] = out[:count]
                out = grown
            stop = i
            digits = capitals = 0
            while stop < end and _CLASS[data[stop]] & _TOKEN:
                digits += (_CLASS[data[stop]] & _DIGIT) != 0
                capitals += (_CLASS[data[stop]] & _UPPER) != 0
                stop += 1
            # A long word or the name of a page has neither.
            if digits or capitals > 3:
                left = i
                while left > begin and i - left < RUN_MARGIN and _CLASS[data[left - 1]] & _WIDE:
                    left -= 1
                right = stop
                while right < end and right - i < RUN_REACH and _CLASS[data[right]] & _WIDE:
                    right += 1
                out[count] = (RUN, row, left, right)
                count += 1
                stop = max(stop, right)
            i = stop
        if count - before > limit:
            beyond[row] = True
            count = before
    return out, count
