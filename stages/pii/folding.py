"""Decimal digits of any script, and two full-width signs, as the ASCII characters that the recognisers read.

A telephone number may be written in Arabic-Indic, Devanagari or full-width digits, an address with a full-width at
sign. The recognisers look at a *shadow* of the text in which each of these stands as one ASCII character, so that code
points keep their places; ranges found there are then mapped back to the bytes of the text itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer, decode
from lauter.stages.pii.spans import Match

# Constants that the kernels read stand in this file: the cached machine code is as old as the file.
ZEROS = (
    *(0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20),
    *(0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0),
    *(0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0),
    *(0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50),
    *(0x11D50, 0x11DA0, 0x11DE0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8),
    *(0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0),
)
"""Where the ten decimal digits of a script begin (Unicode 16.0, general category Nd; the digits of one script follow
one another, UAX #44), without ASCII."""
SIGNS = (0xFF0B, 0xFF20)
"""Full-width plus and at sign: 0xFEE0 above their ASCII forms, as all of U+FF01 to U+FF5E."""
_FULL_WIDTH = 0xFEE0
_BLOCK = 64
_LOWEST = np.uint8(0xD9)
"""The first byte of U+0660, the lowest of all: Latin, Greek and Cyrillic letters are below it."""

_ZEROS = np.array(ZEROS, np.int64)


def _pairs() -> NDArray[np.bool_]:
    table = np.zeros((256, 64), np.bool_)
    for code in (*SIGNS, *(zero + value for zero in ZEROS for value in range(10))):
        first, second, *_ = chr(code).encode()
        table[first, second & 0x3F] = True
    return table


_PAIRS = _pairs()
"""The first two bytes of what is folded."""


@kernel
def _ascii(code: Integer) -> int:
    """The ASCII form of a code point that is folded, 0 of any other."""
    if code == 0xFF0B or code == 0xFF20:
        return int(code - _FULL_WIDTH)
    place = np.searchsorted(_ZEROS, code, side="right") - 1
    if place >= 0 and code - _ZEROS[place] < 10:
        return int(48 + code - _ZEROS[place])
    return 0


@kernel
def _next(data: NDArray[np.uint8], position: Integer, end: Integer) -> tuple[Integer, int, int]:
    """Where the next character to fold stands, its ASCII form and its width in bytes; (end, 0, 0) if there is none."""
    while position < end:
        if position + _BLOCK <= end:
            # A loop without branches over a view of known length: the compiler makes vector instructions of it.
            block = data[position : position + _BLOCK]
            high = np.uint8(0)
            for place in range(_BLOCK):
                high = max(high, block[place])
            if high < _LOWEST:
                position += _BLOCK
                continue
        stop = min(position + _BLOCK, end)
        while position < stop:
            lead = data[position]
            if lead >= _LOWEST and position + 1 < end and _PAIRS[lead, data[position + 1] & 0x3F]:
                code, width = decode(data, position, end)
                ascii_ = _ascii(code)
                if ascii_:
                    return position, ascii_, width
            position += 1
    return end, 0, 0


@kernel
def _lengths(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of each document's shadow."""
    lengths = np.diff(offsets)
    for row in range(lengths.size):
        position = offsets[row]
        while position < offsets[row + 1]:
            position, _, width = _next(data, position, offsets[row + 1])
            if width:
                lengths[row] -= width - 1
                position += width
    return lengths


@kernel
def _fill(data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    written = 0
    for row in rows:
        position = offsets[row]
        while position < offsets[row + 1]:
            found, ascii_, width = _next(data, position, offsets[row + 1])
            size = found - position
            out[written : written + size] = data[position:found]
            written += size
            position = found
            if width:
                out[written] = ascii_
                written += 1
                position += width


@kernel
def _unfold_positions(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int64], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the bytes at ascending positions of the shadow come from in `data`, and from how many bytes."""
    out = np.empty(positions.size, np.int64)
    widths = np.ones(positions.size, np.int64)
    done = shadow = 0
    for row in rows:
        position = offsets[row]
        while done < positions.size:
            found, _, width = _next(data, position, offsets[row + 1])
            reach = shadow + found - position
            while done < positions.size and positions[done] < reach:
                out[done] = position + positions[done] - shadow
                done += 1
            shadow, position = reach, found
            if not width:
                break
            if done < positions.size and positions[done] == shadow:
                out[done], widths[done] = position, width
                done += 1
            shadow += 1
            position += width
    return out, widths


class Shadow(NamedTuple):
    """The documents of a column in which something is folded: fewer bytes, and as many code points."""

    rows: NDArray[np.int64]
    """Which documents they are."""
    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def fold(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Shadow | None:
    """The shadow of a string column, None where nothing in it is folded (one look at each byte, and no copy).

    Args:
        data: the column's bytes, shape (b,).
        offsets: where each of n documents starts and ends in `data`, shape (n + 1,).
    """
    lengths = _lengths(data, offsets)
    rows = np.flatnonzero(lengths != np.diff(offsets))
    if not rows.size:
        return None
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[rows])])
    shadow = np.empty(int(edges[-1]), np.uint8)
    _fill(data, offsets, rows, shadow)
    # Read-only like the column itself: the kernels that read both are compiled once.
    shadow.flags.writeable = edges.flags.writeable = False
    return Shadow(rows, shadow, edges)


def unfold(data: NDArray[np.uint8], offsets: NDArray[np.int64], shadow: Shadow, matches: list[Match]) -> list[Match]:
    """Matches in the shadow of a column as matches in the column itself; none may be empty."""
    if not matches:
        return []
    # The last byte of a match instead of its end: documents that touch in the shadow are apart in the column.
    positions, places = np.unique(
        np.array([edge for match in matches for edge in (match.start, match.end - 1)], np.int64), return_inverse=True
    )
    first, width = _unfold_positions(data, offsets, shadow.rows, positions)
    starts, ends = first[places[::2]].tolist(), (first + width)[places[1::2]].tolist()
    return [
        match._replace(document=int(shadow.rows[match.document]), start=start, end=end)
        for match, start, end in zip(matches, starts, ends, strict=True)
    ]
