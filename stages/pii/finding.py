"""Runs the recognisers over the windows of a column."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.pii.candidates import candidates
from lauter.stages.pii.folding import fold, unfold
from lauter.stages.pii.place import Place
from lauter.stages.pii.recogniser import CONTEXT_BYTES, Hit, Recogniser
from lauter.stages.pii.spans import Match, resolve

WINDOWS_PER_TEXT = 64
"""Windows are read many at a time: calls, not characters, are what a window of thirty bytes costs."""

_SEPARATOR = "\n\x00\n"
"""No pattern matches a line feed or a NUL, so nothing is found across two windows."""
_MARGIN = 4
"""Code points on either side of a window that a recogniser may look at."""


class Found(NamedTuple):
    """What is in a column: matches of its checked documents, and which documents have too many windows to check."""

    matches: list[Match]
    unchecked: NDArray[np.bool_]


def find(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    recognisers: Sequence[Recogniser],
    limit: int,
    places: Sequence[Place],
    rows: NDArray[np.bool_] | None = None,
) -> Found:
    """Personal data in a string column, without overlap, in order of position.

    Args:
        data: the column's bytes, shape (b,).
        offsets: where each of n documents starts and ends in `data`, shape (n + 1,).
        recognisers: in order of priority.
        limit: windows a document; one with more is left unchecked.
        places: where each of the n documents is from.
        rows: which of them are looked at, shape (n,); None for all.
    """
    shadow = fold(data, offsets)
    left_out = np.zeros(offsets.size - 1, np.bool_) if rows is None else ~rows
    if shadow is None:
        return _find(data, offsets, recognisers, limit, left_out, places)
    skipped = left_out.copy()
    skipped[shadow.rows] = True
    matches, unchecked = _find(data, offsets, recognisers, limit, skipped, places)
    theirs = [places[row] for row in shadow.rows.tolist()]
    folded = _find(shadow.data, shadow.offsets, recognisers, limit, left_out[shadow.rows], theirs)
    others, unchecked[shadow.rows] = folded
    return Found(sorted(matches + unfold(data, offsets, shadow, others), key=lambda match: match.start), unchecked)


def _find(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    recognisers: Sequence[Recogniser],
    limit: int,
    skipped: NDArray[np.bool_],
    places: Sequence[Place],
) -> Found:
    kinds = tuple(sorted({recogniser.window for recogniser in recognisers}))
    windows, unchecked = candidates(data, offsets, kinds, limit, skipped)
    column = _Column(data, offsets, places)
    matches: list[Match] = []
    for kind, found in windows.items():
        rows = list(zip(*(edges.tolist() for edges in found), strict=True))
        texts = list(_texts(column, rows, ()))
        for priority, recogniser in enumerate(recognisers):
            if recogniser.window == kind:
                plain = recogniser.screen is None and not recogniser.regional
                for text in texts if plain else _screened(column, rows, recogniser):
                    matches += _matches(column, text, recogniser, priority)
    return Found(resolve(matches), unchecked)


class _Column(NamedTuple):
    """The bytes of n documents, where each begins, and where each is from."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    places: Sequence[Place]


_Row = tuple[int, int, int]
"""A window: document, and bytes [start, end) of the buffer."""


def _screened(column: _Column, rows: list[_Row], recogniser: Recogniser) -> Iterator[_Text]:
    """Those windows that a recogniser looks at, together by the regions that it is told."""
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        document, start, end = row
        if recogniser.screen is None or recogniser.screen(_hit(column, document, start, end)):
            regions = column.places[document].regions if recogniser.regional else ()
            groups.setdefault(regions, []).append(row)
    for regions, group in groups.items():
        yield from _texts(column, group, regions)


def _hit(column: _Column, document: int, start: int, end: int) -> Hit:
    begin, finish = int(column.offsets[document]), int(column.offsets[document + 1])
    return Hit(
        _decoded(column.data, max(start - CONTEXT_BYTES, begin), start),
        _decoded(column.data, start, end),
        _decoded(column.data, end, min(end + CONTEXT_BYTES, finish)),
        column.places[document],
    )


class _Window(NamedTuple):
    """A window in a joined text: code points [start, end) of it are bytes of the buffer from `byte` on."""

    start: int
    end: int
    byte: int
    document: int


class _Text(NamedTuple):
    """Some windows, joined, with their margins."""

    text: str
    windows: list[_Window]
    regions: tuple[str, ...]


def _texts(column: _Column, rows: list[_Row], regions: tuple[str, ...]) -> Iterator[_Text]:
    data, offsets, _ = column
    for place in range(0, len(rows), WINDOWS_PER_TEXT):
        parts: list[str] = []
        cores: list[_Window] = []
        length = 0
        for document, start, end in rows[place : place + WINDOWS_PER_TEXT]:
            before = _decoded(data, _back(data, start, int(offsets[document])), start)
            core = _decoded(data, start, end)
            after = _decoded(data, end, min(end + 4 * _MARGIN, int(offsets[document + 1])))[:_MARGIN]
            parts += (before, core, after, _SEPARATOR)
            length += len(before)
            cores.append(_Window(length, length + len(core), start, document))
            length += len(core) + len(after) + len(_SEPARATOR)
        yield _Text("".join(parts), cores, regions)


def _matches(column: _Column, text: _Text, recogniser: Recogniser, priority: int) -> Iterator[Match]:
    starts = [window.start for window in text.windows]
    seen = (-1, 0, 0)  # a window, and a place in it: its code point and its byte
    for start, end in recogniser.find(text.text, text.regions):
        place = bisect_right(starts, start) - 1
        if place < 0 or end > text.windows[place].end:
            continue  # It starts in a margin or reaches into one: another window has it whole, or it is none.
        window = text.windows[place]
        # From the match before: addresses without a space between make one window of megabytes.
        _, point, byte = seen if seen[0] == place and seen[1] <= start else (place, window.start, window.byte)
        first = byte + _size(text.text, point, start)
        seen = (place, start, first)
        last = first + _size(text.text, start, end)
        part = recogniser.refine(_hit(column, window.document, first, last))
        if part is not None:
            yield Match(
                window.document,
                first + _size(text.text, start, start + part[0]),
                first + _size(text.text, start, start + part[1]),
                priority,
                recogniser.type,
            )


def _decoded(data: NDArray[np.uint8], start: int, end: int) -> str:
    # Bytes that are no UTF-8, and code points cut at an edge of the context, each become one surrogate: lengths hold.
    return data[start:end].tobytes().decode("utf-8", "surrogateescape")


def _size(text: str, start: int, end: int) -> int:
    part = text[start:end]
    return len(part) if part.isascii() else len(part.encode("utf-8", "surrogateescape"))


def _back(data: NDArray[np.uint8], position: int, limit: int) -> int:
    """Where the margin before a position starts."""
    for _ in range(_MARGIN):
        if position > limit:
            position -= 1
            while position > limit and data[position] & 0xC0 == 0x80:
                position -= 1
    return position
