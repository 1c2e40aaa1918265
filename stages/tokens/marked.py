"""Dialogues as token ids: marks (`schema.MARK`) become control tokens and say which tokens carry loss as labels.

Every text between two marks is encoded by itself, so no token reaches over a turn, and control tokens are put in as
ids: what a text spells stays text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema

NONE = -1
"""In place of a control token's id where a piece has none."""

Placed = tuple[int, int, int]
"""(start, end, id): code points of a text in whose place one id comes."""


class Piece(NamedTuple):
    """At most one control token, and the text behind it."""

    control: int
    trained: bool = False
    """Whether the control token carries loss."""
    text: str = ""
    opens: bool = False
    """Whether the text carries loss."""


class Encoded(NamedTuple):
    """n documents as ids, one after the other."""

    ids: NDArray[np.uint32]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (n + 1,)."""
    labels: NDArray[np.bool_]
    """Shape (N,): the tokens that carry loss."""


def dialogue_pieces(
    text: str, marks: Sequence[Mapping[str, Any]], placed: Sequence[Placed], controls: Mapping[str, int], bos: int
) -> list[Piece]:
    """A dialogue as pieces, BOS first.

    `placed` are placeholders of personal data, none of which reaches over a mark. Raises ValueError for a control token
    that the tokenizer has not.
    """
    pieces = [Piece(bos)]
    waiting = deque(sorted(placed))
    at, opens = 0, False
    for mark in [*marks, None]:
        end = len(text) if mark is None else mark["start"]
        inside: list[Placed] = []
        while waiting and waiting[0][0] < end:
            span = waiting.popleft()
            if at <= span[0] < span[1] <= end:
                inside.append(span)
        pieces += _stretch(text, at, end, inside, opens=opens)
        if mark is None:
            break
        control = NONE if mark["control"] is None else controls.get(mark["control"], NONE)
        if control == NONE and mark["control"] is not None:
            raise ValueError(f"the tokenizer has no control token {mark['control']}")
        if control != NONE or mark["literal"]:
            pieces.append(Piece(control, mark["trained"], mark["literal"] or ""))
        at, opens = mark["end"], mark["opens"]
    return pieces


def _stretch(text: str, start: int, end: int, placed: Sequence[Placed], *, opens: bool) -> list[Piece]:
    """Page text between two marks; placeholders in it carry loss as it does."""
    pieces: list[Piece] = []
    control, at = NONE, start
    for first, last, index in placed:
        if first >= at:
            pieces.append(Piece(control, opens, text[at:first], opens))
            control, at = index, last
    pieces.append(Piece(control, opens, text[at:end], opens))
    return [piece for piece in pieces if piece.control != NONE or piece.text]


def joined(
    ids: NDArray[np.uint32], offsets: NDArray[np.int64], pieces: Sequence[Piece], counts: Sequence[int]
) -> Encoded:
    """Put each piece's control token before its ids, which are ids[offsets[i]:offsets[i + 1]] of piece i.

    `counts`, shape (n,), says how many pieces each document has.
    """
    control = np.array([piece.control for piece in pieces], np.int64)
    has = control != NONE
    size = np.diff(offsets) + has
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    single = np.zeros(starts[-1], np.bool_)
    single[starts[:-1][has]] = True
    result = np.empty(len(single), np.uint32)
    result[single] = control[has]
    result[~single] = ids
    labels = np.repeat(np.array([piece.opens for piece in pieces], np.bool_), size)
    labels[single] = np.array([piece.trained for piece in pieces], np.bool_)[has]
    bounds = starts[np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])]
    return Encoded(result, bounds, labels)


def loss_spans(offsets: NDArray[np.int64], labels: NDArray[np.bool_], marked: NDArray[np.bool_]) -> pa.ListArray:
    """`schema.LOSS_SPANS` of documents: null where one is not `marked`, shape (n,).

    >>> loss_spans(np.array([0, 5]), np.array([False, True, True, False, True]), np.array([True])).to_pylist()
    [[1, 3, 4, 5]]
    """
    lengths = np.diff(offsets)
    edge = np.zeros(len(labels) + 1, np.bool_)
    edge[offsets] = True
    before = np.concatenate([np.zeros(1, np.bool_), labels[:-1]])
    after = np.concatenate([labels[1:], np.zeros(1, np.bool_)])
    first = np.flatnonzero(labels & (edge[:-1] | ~before))
    last = np.flatnonzero(labels & (edge[1:] | ~after))
    document = np.repeat(np.arange(len(lengths)), lengths)[first]
    values = np.stack([first, last + 1], axis=1) - offsets[document][:, None]
    own = marked[document]
    counts = 2 * np.bincount(document[own], minlength=len(lengths))
    places = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return pa.ListArray.from_arrays(
        pa.array(places.astype(np.int32)),
        pa.array(values[own].reshape(-1).astype(np.uint32)),
        type=schema.LOSS_SPANS.type,
        mask=pa.array(~marked),
    )
