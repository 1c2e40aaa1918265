"""Counts of source files: lines, letters, and stretches of encoded data. Ratios are taken outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import ASCII_CLASS, DIGIT, LETTER, Integer, character_class, decode

# Columns of what `measure_code` returns.
CHARACTERS = 0
"""Code points, line feeds too."""
LINES = 1
"""Line feeds, and one for what stands behind the last."""
LONGEST_LINE = 2
"""Code points of the longest line, without its line feed."""
LINE_CHARACTERS = 3
"""Code points of all lines, without line feeds."""
LETTERS = 4
DIGITS = 5
"""Decimal digits."""
ENCODED = 6
"""Code points in stretches of encoded data."""
LONGEST_ENCODED = 7
COLUMNS = 8

BASE64_LEAST = 64
"""Characters of Base64 that make a stretch (arXiv 2402.19173, section 3.1)."""
BASE64_LINE = 40
"""Characters that a line of a stretch has at least, but the last: files of one word a line are no Base64. RFC 4648
knows lines of 64 (PEM) and 76 (MIME)."""
BYTES_LEAST = 8
r"""Bytes in hexadecimal, or code points as \uXXXX, that make a stretch (arXiv 2402.19173, section 3.1)."""

_NEWLINE, _BACKSLASH, _COMMA, _SPACE, _TAB, _ZERO = 0x0A, 0x5C, 0x2C, 0x20, 0x09, 0x30
_BASE64 = np.zeros(256, np.bool_)
_BASE64[[*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B), 0x2B, 0x2F, 0x3D]] = True
_HEX = np.zeros(256, np.bool_)
_HEX[[*range(0x30, 0x3A), *range(0x41, 0x47), *range(0x61, 0x67)]] = True
_WORD = np.zeros(256, np.bool_)
_WORD[[*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B), 0x5F]] = True


@kernel
def base64_end(data: NDArray[np.uint8], start: Integer, end: Integer) -> Integer:
    """Where a stretch of Base64 that begins at `start` ends; `start` if there is none.

    Its lines but the last have BASE64_LINE characters or more, and all together BASE64_LEAST.
    """
    position, size, line = start, 0, 0
    stop = start
    while position < end and (_BASE64[data[position]] or (data[position] == _NEWLINE and line >= BASE64_LINE)):
        if data[position] == _NEWLINE:
            line = 0
        else:
            line += 1
            size += 1
            stop = position + 1
        position += 1
    return stop if size >= BASE64_LEAST else start


@kernel
def bytes_end(data: NDArray[np.uint8], start: Integer, end: Integer) -> Integer:
    r"""Where a stretch of bytes in hexadecimal that begins at `start` ends; `start` if there is none.

    A byte is two hexadecimal digits, perhaps behind `0x` or `\x`; between two of them may stand commas and white space,
    and must where they have no prefix.
    """
    position, count = start, 0
    stop = start
    while position < end:
        digits = position
        prefixed = (
            position + 3 < end
            and data[position + 1] | 0x20 == 0x78
            and (data[position] == _ZERO or data[position] == _BACKSLASH)
        )
        if prefixed:
            digits += 2
        elif count and position == stop:
            break
        if digits + 1 >= end or not _HEX[data[digits]] or not _HEX[data[digits + 1]]:
            break
        if digits + 2 < end and _WORD[data[digits + 2]]:
            # A longer number or a word: no byte, and what stands before it is no part of the stretch.
            break
        stop = digits + 2
        count += 1
        position = stop
        while position < end and (
            data[position] == _COMMA or data[position] == _SPACE or data[position] == _TAB or data[position] == _NEWLINE
        ):
            position += 1
    return stop if count >= BYTES_LEAST else start


@kernel
def escapes_end(data: NDArray[np.uint8], start: Integer, end: Integer) -> Integer:
    r"""Where a stretch of \uXXXX that begins at `start` ends; `start` if there are fewer than BYTES_LEAST."""
    position, count = start, 0
    while position + 6 <= end and data[position] == _BACKSLASH and data[position + 1] == 0x75:
        if not (
            _HEX[data[position + 2]]
            and _HEX[data[position + 3]]
            and _HEX[data[position + 4]]
            and _HEX[data[position + 5]]
        ):
            break
        count += 1
        position += 6
    return position if count >= BYTES_LEAST else start


@kernel
def count_encoded(data: NDArray[np.uint8], start: Integer, end: Integer, row: NDArray[np.int64]) -> None:
    """Count stretches of encoded data, of which the characters are all ASCII.

    A stretch begins where a word does, so that no position is looked at again and again: time is linear.
    """
    position = start
    while position < end:
        stop = position
        if data[position] == _BACKSLASH:
            stop = escapes_end(data, position, end)
        if stop == position and (_HEX[data[position]] or data[position] == _BACKSLASH):
            stop = bytes_end(data, position, end)
        if stop == position and _BASE64[data[position]]:
            stop = base64_end(data, position, end)
        if stop > position:
            row[ENCODED] += stop - position
            row[LONGEST_ENCODED] = max(row[LONGEST_ENCODED], stop - position)
            position = stop
            continue
        # The rest of what might have been one.
        if _BASE64[data[position]]:
            while position < end and _BASE64[data[position]]:
                position += 1
        else:
            position += 1


@kernel
def measure_code(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts of each text, shape (texts, COLUMNS); `offsets` and `data` as in `words.TextBuffers`."""
    counts = np.zeros((len(offsets) - 1, COLUMNS), np.int64)
    for index in range(len(counts)):
        start, end = offsets[index], offsets[index + 1]
        row = counts[index]
        position, line = start, 0
        while position < end:
            byte = data[position]
            if byte == _NEWLINE:
                row[LINES] += 1
                row[LONGEST_LINE] = max(row[LONGEST_LINE], line)
                row[LINE_CHARACTERS] += line
                line = 0
                position += 1
                continue
            if byte < 0x80:
                kind: Integer = ASCII_CLASS[byte]
                position += 1
            else:
                code, width = decode(data, position, end)
                kind = character_class(code)
                position += width
            line += 1
            row[LETTERS] += kind & LETTER != 0
            row[DIGITS] += kind & DIGIT != 0
        row[LINES] += line > 0
        row[LONGEST_LINE] = max(row[LONGEST_LINE], line)
        row[LINE_CHARACTERS] += line
        row[CHARACTERS] = row[LINE_CHARACTERS] + row[LINES] - (line > 0)
        count_encoded(data, start, end, row)
    return counts
