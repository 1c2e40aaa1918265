"""Pieces of dialogues become ids, and labels become spans, as plain Python has them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.tokens.marked import NONE, Piece, dialogue_pieces, joined, loss_spans


@given(documents=st.lists(st.tuples(st.lists(st.booleans(), max_size=9), st.booleans()), max_size=6))
def test_spans_are_the_runs_of_labels(documents: list[tuple[list[bool], bool]]) -> None:
    labels = np.array([label for own, _ in documents for label in own], np.bool_)
    offsets = np.cumsum([0, *(len(own) for own, _ in documents)], dtype=np.int64)
    found = loss_spans(offsets, labels, np.array([marked for _, marked in documents], np.bool_)).to_pylist()
    for (own, marked), spans in zip(documents, found, strict=True):
        assert (spans is not None) == marked
        if spans is not None:
            inside = {place for start, end in zip(spans[::2], spans[1::2], strict=True) for place in range(start, end)}
            assert inside == {place for place, label in enumerate(own) if label}
            assert all(left < right for left, right in pairwise(spans))


@given(
    documents=st.lists(
        st.lists(st.tuples(st.integers(NONE, 9), st.booleans(), st.integers(0, 3), st.booleans()), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_control_tokens_come_before_their_text(documents: list[list[tuple[int, bool, int, bool]]]) -> None:
    pieces = [Piece(control, trained, "x" * size, opens) for own in documents for control, trained, size, opens in own]
    sizes = [len(piece.text) for piece in pieces]
    ids = np.arange(100, 100 + sum(sizes), dtype=np.uint32)
    found = joined(ids, np.cumsum([0, *sizes], dtype=np.int64), pieces, [len(own) for own in documents])
    expected: list[tuple[int, bool]] = []
    bounds, left = [0], ids.tolist()
    for own in documents:
        for control, trained, size, opens in own:
            expected += [(control, trained)] if control != NONE else []
            expected += [(left.pop(0), opens) for _ in range(size)]
        bounds.append(len(expected))
    assert list(zip(found.ids.tolist(), found.labels.tolist(), strict=True)) == expected
    assert found.offsets.tolist() == bounds


def mark(start: int, end: int, control: str | None, *, opens: bool = False) -> dict[str, object]:
    return {"start": start, "end": end, "control": control, "literal": None, "trained": False, "opens": opens}


def test_placeholders_carry_loss_as_their_text_does() -> None:
    marks = [mark(0, 0, "<u>"), mark(7, 8, "<a>", opens=True)]
    found = dialogue_pieces("say PII\nyes PII.", marks, [(4, 7, 37), (12, 15, 37)], {"<u>": 5, "<a>": 6}, bos=1)
    assert [(piece.control, piece.text, piece.opens) for piece in found] == [
        *[(1, "", False), (5, "", False), (NONE, "say ", False), (37, "", False)],
        *[(6, "", False), (NONE, "yes ", True), (37, ".", True)],
    ]
