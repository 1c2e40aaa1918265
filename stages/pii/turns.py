"""Personal data in dialogues: no match reaches over a mark, and marks (`schema.MARK`) move along with the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.pii.spans import Match, code_points

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
    edges = {row: _bytes(data[offsets[row] : offsets[row + 1]], int(offsets[row]), own) for row, own in marks.items()}
    for match in matches:
        start = match.start
        for first, last in edges.get(match.document, ()):
            if start < last and first < match.end:
                if start < first:
                    found.append(match._replace(start=start, end=first))
                start = max(start, last)
        if start < match.end:
            found.append(match._replace(start=start))
    return found


def _bytes(data: NDArray[np.uint8], base: int, marks: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Where the marks of a document begin and end in the column's bytes."""
    begins = np.append(np.flatnonzero((data & 0xC0) != 0x80), len(data)) + base
    return [(int(begins[mark["start"]]), int(begins[mark["end"]])) for mark in marks]


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
    ends: dict[int, list[int]] = {row: [] for row in own}
    for match in matches:
        if match.document in own:
            ends[match.document].append(code_points(data[offsets[match.document] : match.end]))
    rows = marks.to_pylist()
    for row, some in own.items():
        then = [span["end"] for span in spans[row].as_py()]
        shift = [0, *(new - old for new, old in zip(then, ends[row], strict=True))]
        place = np.searchsorted(ends[row], [mark["start"] for mark in some], "right")
        rows[row] = [
            {**mark, "start": mark["start"] + shift[at], "end": mark["end"] + shift[at]}
            for mark, at in zip(some, place.tolist(), strict=True)
        ]
    return pa.array(rows, schema.RECORD.field("marks").type)
