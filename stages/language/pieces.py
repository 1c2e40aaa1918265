"""What of a document is judged, and in which portions: pieces of it, or its lines.

A document is sampled where it is long: head, middle and tail, so that a page whose first screen is a menu or a notice
in English is still what its text is. Each piece is judged for itself (`identify`), which is also what shows that a
document is in two languages. Pieces are cut at white space where there is some near.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import LETTER, UNSPACED, WHITE_SPACE, Integer, character_class, decode

PIECES = 3
"""Head, middle and tail."""

_REACH = 40
"""Code points between the end of a piece and the white space that it is cut at: twice a long German word."""

_LINE_LETTERS = 40
"""A line with fewer letters is judged together with the next. Of 25,737 paragraphs of the Declaration of Human Rights a
model of 10 MB has 70 % right below 30 code points, 77 % up to 60, 82 % above 120."""

_LINE_FEED = 0x0A


class Units(NamedTuple):
    """What is judged for itself: u units of n documents, one after another."""

    data: NDArray[np.uint8]
    """UTF-8 of all units, without a gap, read-only."""
    offsets: NDArray[np.int64]
    """Shape (u + 1,): unit j is `data[offsets[j]:offsets[j + 1]]`. Read-only."""
    bounds: NDArray[np.int64]
    """Shape (n + 1,): the units of document i are bounds[i] up to bounds[i + 1]."""


def whole(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Units:
    """Each text as one unit, in full."""
    return Units(data, offsets, np.arange(len(offsets)))


def pieces(data: NDArray[np.uint8], offsets: NDArray[np.int64], most_chars: int) -> Units:
    """Up to three pieces of each text, of at most `most_chars` code points each and none longer than it must be.

    A text that fits is cut into equal pieces, as few as will do, and nothing of it is left out; of a longer one there
    are head, middle and tail. Between them they have every code point at most once.
    """
    spans = np.zeros(((len(offsets) - 1) * PIECES, 2), np.int64)
    counts = np.zeros(len(offsets) - 1, np.int64)
    find_pieces(data, offsets, most_chars, spans, counts)
    spans = spans[spans[:, 1] > spans[:, 0]]
    gathered, starts = gather(data, spans)
    gathered.flags.writeable = False
    return Units(gathered, starts, np.append(0, np.cumsum(counts)))


def lines(units: Units) -> Units:
    """The lines of each unit, a short one together with the next: the same bytes, in more units."""
    ends = np.zeros(len(units.data), np.bool_)
    find_lines(units.data, units.offsets, ends)
    # An empty unit has no line.
    offsets = np.append(units.offsets[:1], np.flatnonzero(ends) + 1)
    offsets.flags.writeable = False
    return Units(units.data, offsets, np.searchsorted(offsets, units.offsets[units.bounds]))


def gather(data: NDArray[np.uint8], spans: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of half-open ranges of `data`, shape (m, 2), one after another, and their offsets, shape (m + 1,)."""
    offsets = np.append(0, np.cumsum(spans[:, 1] - spans[:, 0]))
    gathered = np.empty(offsets[-1], np.uint8)
    copy_spans(data, spans, gathered)
    # Read-only, as Arrow's buffers are: numba compiles anew for an array that is not.
    offsets.flags.writeable = False
    return gathered, offsets


@kernel
def copy_spans(data: NDArray[np.uint8], spans: NDArray[np.int64], gathered: NDArray[np.uint8]) -> None:
    """Fill `gathered` with the bytes of the ranges, one after another."""
    at = 0
    for span in range(len(spans)):
        for place in range(spans[span, 0], spans[span, 1]):
            gathered[at] = data[place]
            at += 1


@kernel
def forward(data: NDArray[np.uint8], at: Integer, end: Integer, chars: Integer) -> Integer:
    """The byte `chars` code points after `at`, at most `end`."""
    while at < end and chars > 0:
        at += 1
        while at < end and data[at] & 0xC0 == 0x80:
            at += 1
        chars -= 1
    return at


@kernel
def backward(data: NDArray[np.uint8], at: Integer, start: Integer, chars: Integer) -> Integer:
    """The byte `chars` code points before `at`, at least `start`."""
    while at > start and chars > 0:
        at -= 1
        while at > start and data[at] & 0xC0 == 0x80:
            at -= 1
        chars -= 1
    return at


@kernel
def space_before(data: NDArray[np.uint8], at: Integer, start: Integer) -> Integer:
    """The byte behind the nearest white space before `at`; `at` itself where there is none near, or only at `start`."""
    place = at
    for _ in range(_REACH):
        before = backward(data, place, start, 1)
        if before <= start:
            return at
        point, width = decode(data, before, place)
        if character_class(point) & WHITE_SPACE:
            return before + width
        place = before
    return at


@kernel
def space_after(data: NDArray[np.uint8], at: Integer, end: Integer) -> Integer:
    """The byte behind the nearest white space after `at`; `at` where there is none near, or only before `end`."""
    place = at
    for _ in range(_REACH):
        if place >= end:
            return at
        point, width = decode(data, place, end)
        place += width
        if character_class(point) & WHITE_SPACE:
            return place if place < end else at
    return at


@kernel
def find_pieces(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    most: int,
    spans: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Find the pieces of each text.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,).
        most: Code points of a piece.
        spans: Shape (n * PIECES, 2), zeros: filled with the bytes of the pieces of text i from row i * PIECES on.
        counts: Shape (n,), zeros: filled with the pieces of each text.
    """
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        first = row * PIECES
        if forward(data, start, end, PIECES * most) == end:
            points = 0
            for place in range(start, end):
                points += data[place] & 0xC0 != 0x80
            parts = (points + most - 1) // most
            cut = start
            previous = start
            for part in range(parts):
                cut = forward(data, cut, end, (part + 1) * points // parts - part * points // parts)
                stop = end if part == parts - 1 else space_before(data, cut, previous)
                spans[first + part, 0] = previous
                spans[first + part, 1] = stop
                previous = stop
            counts[row] = parts
            continue
        head = space_before(data, forward(data, start, end, most), start)
        tail = space_after(data, backward(data, end, start, most), end)
        # Half of the bytes between, and back to where a code point begins.
        middle = (head + tail) // 2
        while middle > head and data[middle] & 0xC0 == 0x80:
            middle -= 1
        middle = space_after(data, backward(data, middle, head, most // 2), tail)
        spans[first, 0], spans[first, 1] = start, head
        spans[first + 1, 0] = middle
        stop = forward(data, middle, tail, most)
        spans[first + 1, 1] = stop if stop == tail else space_before(data, stop, middle)
        spans[first + 2, 0], spans[first + 2, 1] = tail, end
        counts[row] = PIECES


@kernel
def find_lines(data: NDArray[np.uint8], offsets: NDArray[np.int64], ends: NDArray[np.bool_]) -> None:
    """Mark the last byte of each line: a line feed with enough letters before it, or the end of a unit.

    Args:
        data: UTF-8 bytes of all units.
        offsets: Shape (u + 1,).
        ends: Shape (bytes,), False: filled.
    """
    for unit in range(len(offsets) - 1):
        at, end = offsets[unit], offsets[unit + 1]
        letters = 0
        while at < end:
            point, width = decode(data, at, end)
            at += width
            if point == _LINE_FEED:
                if letters >= _LINE_LETTERS:
                    ends[at - 1] = True
                    letters = 0
            elif character_class(point) & (LETTER | UNSPACED):
                letters += 1
        if end > offsets[unit]:
            ends[end - 1] = True
