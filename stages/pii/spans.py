"""Which of overlapping matches stands, and the text with placeholders in their stead."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema


class Match(NamedTuple):
    """Personal data in a column's buffer: bytes [start, end) of document `document`."""

    document: int
    start: int
    end: int
    priority: int
    """Place of the recogniser in the fixed order of entities: the lower wins."""
    type: str


def placeholder(type_name: str) -> str:
    """What stands for personal data of a type.

    >>> placeholder("email")
    '<email-pii>'
    """
    return f"<{type_name}-pii>"


def resolve(matches: list[Match]) -> list[Match]:
    """Matches without overlap, in order of position, whatever the order of `matches`.

    The longest (in bytes) wins, then the leftmost, then the entity's place.
    """
    kept: list[Match] = []
    group: list[Match] = []
    reach = -1
    # Chains of overlapping matches are short; a whole batch at once would cost the square of its matches.
    for match in sorted(matches):
        if match.start >= reach:
            kept += _strongest(group)
            group = []
        group.append(match)
        reach = max(reach, match.end)
    return kept + _strongest(group)


def _strongest(group: list[Match]) -> list[Match]:
    if len(group) < 2:
        return group
    starts: list[int] = []
    kept: list[Match] = []
    for match in sorted(group, key=lambda m: (m.start - m.end, m.start, m.priority, m.type)):
        place = bisect_left(starts, match.start)
        if place and kept[place - 1].end > match.start:
            continue
        if place < len(starts) and starts[place] < match.end:
            continue
        starts.insert(place, match.start)
        kept.insert(place, match)
    return kept


class Rewritten(NamedTuple):
    """A column with placeholders: new text, and the spans (`schema.SPAN`) of the placeholders in it."""

    text: pa.LargeStringArray
    spans: pa.ListArray


class StandIn(NamedTuple):
    """What stands in place of a match, and the type of the span that says so."""

    text: str
    type: str


def stand_in(match: Match) -> StandIn:
    """The placeholder of a match."""
    return StandIn(placeholder(match.type), match.type)


def rewrite(
    column: pa.LargeStringArray,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    matches: list[Match],
    replaced: Callable[[Match], StandIn] = stand_in,
) -> Rewritten:
    """Put something else in place of matches.

    Args:
        column: the column without nulls; it is the result where nothing matched.
        data: the column's bytes, shape (b,).
        offsets: where each of n documents starts and ends in `data`, shape (n + 1,).
        matches: resolved, in order of position.
        replaced: what stands in place of each.
    """
    documents = offsets.size - 1
    pieces: list[memoryview | bytes] = []
    lengths = np.diff(offsets)
    counts = np.zeros(documents, np.int64)
    starts, ends, types = [], [], []
    view = data.data
    done = int(offsets[0])
    document, place = -1, 0
    for match in matches:
        if match.document != document:
            document, place = match.document, 0
            seen = int(offsets[document])
        else:
            seen = done
        text, kind = replaced(match)
        mark = text.encode()
        pieces += (view[done : match.start], mark)
        place += code_points(data[seen : match.start])
        starts.append(place)
        place += len(text)
        ends.append(place)
        types.append(kind)
        counts[document] += 1
        lengths[document] += len(mark) - (match.end - match.start)
        done = match.end
    pieces.append(view[done : int(offsets[-1])])
    values = pa.StructArray.from_arrays(
        [pa.array(starts, pa.int32()), pa.array(ends, pa.int32()), pa.array(types, pa.string())],
        fields=list(schema.SPAN),
    )
    span_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    spans = pa.ListArray.from_arrays(pa.array(span_offsets), values, type=pa.list_(schema.SPAN))
    if not matches:
        return Rewritten(column, spans)
    text_offsets = np.concatenate([[0], np.cumsum(lengths)])
    joined = pa.py_buffer(b"".join(pieces))
    return Rewritten(pa.LargeStringArray.from_buffers(documents, pa.py_buffer(text_offsets), joined), spans)


def code_points(data: NDArray[np.uint8]) -> int:
    """Code points of UTF-8: bytes that do not continue one (RFC 3629, section 3)."""
    return int(np.count_nonzero((data & 0xC0) != 0x80))
