"""Personal data in dialogues: no match reaches over a mark, and marks (`schema.MARK`) move along with the text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.pii.spans import Match

Marks = Mapping[int, Sequence[Mapping[str, Any]]]
"""The marks of some documents, by number."""


def of_documents(marks: pa.ListArray, matches: Sequence[Match]) -> Marks:
    """The marks of those dialogues that have matches."""
    found = ((row, marks[row].as_py()) for row in sorted({match.document for match in matches}))
    return {row: own for row, own in found if own}


def apart(matches: Sequence[Match], data: NDArray[np.uint8], offsets: NDArray[np.int64], marks: Marks) -> list[Match]:
    """Matches, in order, each cut where a mark stands in it: what lies on both sides of a turn's end is replaced twice.

    `data` and `offsets` are the column's bytes and where its n documents begin and end, shape (n + 1,).
    """
    found: list[Match] = []
    begins = {row: _begins(data, offsets, row) for row in marks}
    edges = {
        row: [(int(begins[row][mark["start"]]), int(begins[row][mark["end"]])) for mark in own]
        for row, own in marks.items()
    }
    lasts = {row: [last for _, last in own] for row, own in edges.items()}
    for match in matches:
        start = match.start
        own = edges.get(match.document, [])
        # Looking at every mark for every match takes half an hour where 100,000 turns each have an address.
        for place in range(bisect_right(lasts.get(match.document, []), start), len(own)):
            first, last = own[place]
            if first >= match.end:
                break
            if start < first:
                found.append(match._replace(start=start, end=first))
            start = max(start, last)
        if start < match.end:
            found.append(match._replace(start=start))
    return found


def _begins(data: NDArray[np.uint8], offsets: NDArray[np.int64], row: int) -> NDArray[np.int64]:
    """Where each code point of a document begins in the column's bytes, and behind them where the last one ends."""
    start, end = int(offsets[row]), int(offsets[row + 1])
    return np.append(np.flatnonzero((data[start:end] & 0xC0) != 0x80) + start, end)


def moved(
    marks: pa.ListArray,
    own: Marks,
    matches: Sequence[Match],
    spans: pa.ListArray,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
) -> pa.ListArray:
    """All marks as they stand once the matches are replaced; `spans` say where what replaced them stands."""
    if not own:
        return marks
    reached: dict[int, list[int]] = {row: [] for row in own}
    for match in matches:
        if match.document in own:
            reached[match.document].append(match.end)
    rows = marks.to_pylist()
    for row, some in own.items():
        then = [span["end"] for span in spans[row].as_py()]
        ends = np.searchsorted(_begins(data, offsets, row), reached[row]).tolist()
        shift = [0, *(new - old for new, old in zip(then, ends, strict=True))]
        place = np.searchsorted(ends, [mark["start"] for mark in some], "right")
        rows[row] = [
            {**mark, "start": mark["start"] + shift[at], "end": mark["end"] + shift[at]}
            for mark, at in zip(some, place.tolist(), strict=True)
        ]
    return pa.array(rows, schema.RECORD.field("marks").type)
