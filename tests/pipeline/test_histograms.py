"""Histograms by key: counted as numbers and taken apart again, their statistics those of the single values."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.histograms import Histogram, by_key, deviation, median, numbers_of

ROWS = st.lists(st.tuples(st.sampled_from([0, 3, 26**7]), st.integers(0, 100)), min_size=1, max_size=60)


@given(ROWS)
def test_what_was_counted_comes_apart_by_key(rows: list[tuple[int, int]]) -> None:
    key, value = (np.array(column) for column in zip(*rows, strict=True))
    number, documents = np.unique(numbers_of(key.astype(np.uint64), value, 101), return_counts=True)
    found = by_key(number, documents.astype(np.uint64), 101)
    assert list(found) == sorted({key for key, _ in rows})
    for key_, histogram in found.items():
        own = sorted(value for k, value in rows if k == key_)
        assert np.repeat(histogram.values, histogram.counts).tolist() == own
        assert histogram.documents == len(own)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50))
def test_statistics_are_those_of_the_values(values: list[int]) -> None:
    histogram = Histogram(*(column.astype(np.int64) for column in np.unique(values, return_counts=True)))
    assert median(histogram) == statistics.median(values)
    assert deviation(histogram) == pytest.approx(statistics.pstdev(values), abs=1 / 1024)


def test_many_documents_are_summed_without_loss() -> None:
    histogram = Histogram(np.array([0, 10_000]), np.array([3 * 10**10, 3 * 10**10]))
    assert median(histogram) == deviation(histogram) == 5000


def test_nothing_counted_has_no_keys() -> None:
    assert by_key(np.empty(0, np.uint64), np.empty(0, np.uint64), 101) == {}
