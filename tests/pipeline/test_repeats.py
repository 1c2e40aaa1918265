"""Substrings that come again: against a dictionary of all windows, and ids that are never removed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.steps import repeats
from lauter.pipeline.steps.repeats import repeated_spans, shortened

DOCUMENTS = st.lists(st.lists(st.integers(0, 2), max_size=25), max_size=6)


def arrays(documents: list[list[int]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    tokens = np.array([token for document in documents for token in document], np.uint32)
    return tokens, np.concatenate([[0], np.cumsum([len(document) for document in documents])]).astype(np.int64)


def plain(documents: list[list[int]], window: int, held: set[int]) -> list[list[int]]:
    """What is left of each document, window by window."""
    first: dict[tuple[int, ...], int] = {}
    base = 0
    left = []
    for document in documents:
        gone: set[int] = set()
        for start in range(len(document) - window + 1):
            some = tuple(document[start : start + window])
            if held & set(some):
                continue
            if first.setdefault(some, base + start) + window <= base + start:
                gone |= set(range(start, start + window))
        left.append([token for place, token in enumerate(document) if place not in gone])
        base += len(document)
    return left


@given(DOCUMENTS, st.integers(1, 6), st.sets(st.integers(0, 2), max_size=1))
def test_as_with_a_dictionary(documents: list[list[int]], window: int, held: set[int]) -> None:
    tokens, offsets = arrays(documents)
    spans = repeated_spans(tokens, offsets, window, np.isin(tokens, list(held)))
    left, bounds = shortened(tokens, offsets, spans)
    assert [left[start:end].tolist() for start, end in itertools.pairwise(bounds)] == plain(documents, window, held)
    document = np.searchsorted(offsets, spans[:, 0], "right")
    assert (spans[:, 1] <= offsets[document]).all() and (spans[1:, 0] >= spans[:-1, 1]).all()


@pytest.mark.parametrize("bucket_windows", [1, 64, 1 << 12])
def test_many_buckets_say_the_same(monkeypatch: pytest.MonkeyPatch, bucket_windows: int) -> None:
    monkeypatch.setattr(repeats, "_BUCKET_WINDOWS", bucket_windows)
    random = np.random.default_rng(1)
    documents = [random.integers(0, 3, 200).tolist() for _ in range(20)]
    documents[7] = documents[3][20:120] + documents[7][:50] + documents[3][100:200]
    tokens, offsets = arrays(documents)
    held = np.zeros(len(tokens), np.bool_)
    left, bounds = shortened(tokens, offsets, repeated_spans(tokens, offsets, 8, held))
    assert [left[a:b].tolist() for a, b in itertools.pairwise(bounds)] == plain(documents, 8, set())


def test_equal_hashes_of_other_ids_remove_nothing() -> None:
    # All windows in one bucket with one hash: only the ids tell them apart.
    tokens, offsets = arrays([[1, 2, 3, 4, 5, 6], [4, 5, 6, 9, 1, 2, 3]])
    runs = repeats._run_ends(offsets, np.zeros(13, np.bool_))
    ids = tokens.view()
    ids.flags.writeable = False
    places = np.array([0, 1, 2, 3, 6, 7, 8, 9, 10], np.uint32)
    assert repeats._count(runs, 3) == len(places)
    again = np.zeros(13, np.bool_)
    repeats._find(ids, 3, 0, np.array([0, 9], np.int64), np.full(9, 77, np.uint64), places, again)
    assert np.flatnonzero(again).tolist() == [6, 10]
    assert repeats._spans(again, 3).tolist() == [[6, 9], [10, 13]]


def test_a_text_that_repeats_itself_keeps_its_first_window() -> None:
    tokens, offsets = arrays([[7] * 20, [7] * 3, [7] * 5])
    spans = repeated_spans(tokens, offsets, 4, np.zeros(28, np.bool_))
    assert spans.tolist() == [[4, 20], [23, 28]]


def test_ids_that_arrow_lends_and_nothing_at_all() -> None:
    tokens, offsets = arrays([[1, 2, 1, 2], []])
    tokens.flags.writeable = False
    assert repeated_spans(tokens, offsets, 2, np.zeros(4, np.bool_)).tolist() == [[2, 4]]
    assert repeated_spans(*arrays([]), 2, np.zeros(0, np.bool_)).tolist() == []
    with pytest.raises(ValueError, match="window 0"):
        repeated_spans(tokens, offsets, 0, np.zeros(4, np.bool_))
    with pytest.raises(ValueError, match="offsets to"):
        repeated_spans(tokens, offsets[:-1], 2, np.zeros(3, np.bool_))
