"""Cuts in texts and spans: against plain slices of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.cuts import code_points, moved, problem, without

SPANS = pa.list_(schema.SPAN)
TEXT = st.text(st.sampled_from("aé世😀 \n"), max_size=12)

Columns = tuple[Any, Any, Any]


def ranges(data: st.DataObject, length: int) -> list[tuple[int, int]]:
    """Some disjoint ranges of a text, not empty, in order."""
    edges = sorted(data.draw(st.sets(st.integers(0, length), max_size=6)))
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]


def columns(cuts: list[list[tuple[int, int]]]) -> Columns:
    flat = [(row, start, end) for row, own in enumerate(cuts) for start, end in own]
    row, start, end = np.array(flat, np.int64).reshape(-1, 3).T
    return row, start, end


@given(st.lists(TEXT, max_size=4), st.integers(0, 3), st.data())
def test_texts_and_spans_after_cuts(texts: list[str], skipped: int, data: st.DataObject) -> None:
    texts = texts[skipped:]
    cuts = [ranges(data, len(text)) for text in texts]
    spans: list[list[dict[str, Any]]] = [
        [
            {"start": start, "end": end, "type": f"t{place}"}
            for place, (start, end) in enumerate(ranges(data, len(text)))
        ]
        for text in texts
    ]
    given_text = pa.array(["before"] * skipped + texts, pa.large_string()).slice(skipped)
    given_spans = pa.array([[]] * skipped + spans, SPANS).slice(skipped)
    row, start, end = columns(cuts)
    assert problem(row, start, end, code_points(given_text)) is None
    expected_texts: list[str] = []
    expected_spans: list[list[dict[str, Any]]] = []
    for text, own, placed in zip(texts, cuts, spans, strict=True):
        stays = [place for place in range(len(text)) if not any(start <= place < end for start, end in own)]
        expected_texts.append("".join(text[place] for place in stays))
        expected_spans.append(
            [
                {"start": stays.index(span["start"]), "end": stays.index(span["end"] - 1) + 1, "type": span["type"]}
                for span in placed
                if all(place in stays for place in range(span["start"], span["end"]))
            ]
        )
    found = without(given_text, row, start, end)
    found.validate(full=True)
    assert found.to_pylist() == expected_texts
    after = moved(given_spans, row, start, end)
    after.validate(full=True)
    assert after.to_pylist() == expected_spans
    for text, here in zip(expected_texts, expected_spans, strict=True):
        assert all(span["end"] <= len(text) for span in here)


def test_without_cuts_nothing_is_copied_and_null_spans_are_none() -> None:
    text = pa.array(["one", "two"], pa.large_string())
    nothing = columns([[], []])
    assert without(text, *nothing) is text
    spans = pa.array([None, [{"start": 0, "end": 1, "type": "x"}]], SPANS)
    assert moved(spans, *nothing).to_pylist() == [[], [{"start": 0, "end": 1, "type": "x"}]]


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        ([[(0, 4)], []], "out of its text"),
        ([[(2, 2)], []], "empty"),
        ([[(-1, 2)], []], "out of its text"),
        ([[(0, 2), (1, 3)], []], "overlap"),
        ([[(2, 3), (0, 1)], []], "not in order"),
        ([[], [], [(0, 1)]], "do not rise within the batch"),
    ],
    ids=["beyond", "empty", "before", "overlap", "order", "row"],
)
def test_what_breaks_the_contract_is_named(cuts: list[list[tuple[int, int]]], said: str) -> None:
    assert said in str(problem(*columns(cuts), np.array([3, 3], np.int64)))
    assert problem(*columns([[(0, 3)], [(0, 1), (1, 3)]]), np.array([3, 3], np.int64)) is None
