from __future__ import annotations

import statistics
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.thresholds.histograms import BINS, Histograms
from lauter.stages.thresholds.limits import (
    METHODS,
    Method,
    beyond,
    language_score,
    limit,
    mean_and_deviation,
    median,
    quantile,
)

values = st.lists(st.integers(0, 1000).map(lambda value: 10 * value), min_size=1, max_size=60)
Bound = Literal["min", "max"]


def counts_of(scores: list[int]) -> NDArray[np.int64]:
    histograms = Histograms(("score",))
    histograms.add(pa.array(["xxx_Latn"] * len(scores)), {"score": pa.array(scores, pa.uint16())})
    counts = histograms.of("xxx_Latn", "score")
    assert counts is not None
    return counts


@given(values)
def test_statistics_are_those_of_the_values(scores: list[int]) -> None:
    counts = counts_of(scores)
    assert median(counts) == statistics.median(scores)
    mean, deviation = mean_and_deviation(counts)
    assert mean == pytest.approx(statistics.mean(scores))
    assert deviation == pytest.approx(statistics.pstdev(scores), abs=0.02)
    expected = min(max((statistics.median(scores) - statistics.pstdev(scores)) / 10_000, 0.3), 0.9)
    assert language_score(counts) == pytest.approx(expected, abs=0.0006)


@given(values, st.floats(0, 1), st.sampled_from(["min", "max"]))
def test_a_quantile_drops_at_most_its_share_and_one_step_on_more(scores: list[int], share: float, bound: Bound) -> None:
    counts = counts_of(scores)
    found = quantile(counts, share, bound)
    assert beyond(counts, found, bound) <= share
    nearer = found + 10 if bound == "min" else found - 10
    if 0 <= nearer < 10 * BINS - 10 and share < 1:
        assert beyond(counts, nearer, bound) > share


@given(values, st.integers(0, 10_000), st.sampled_from(METHODS), st.sampled_from(["min", "max"]))
def test_english_gets_the_english_threshold(scores: list[int], published: int, method: Method, bound: Bound) -> None:
    counts = counts_of(scores)
    found = limit(method, bound, counts, counts, published)
    if method == "quantile":
        assert beyond(counts, found, bound) == beyond(counts, published, bound)
    elif method != "tail" and mean_and_deviation(counts)[1] and median(counts):
        assert found == pytest.approx(published)


def test_thresholds_move_with_the_language() -> None:
    english, german = counts_of([400, 410, 420, 430, 1100]), counts_of([500, 600, 610, 630, 1200])
    assert limit("median-ratio", "max", german, english, 1000) == pytest.approx(1000 * 610 / 420)
    assert limit("quantile", "max", german, english, 1000) == 630
    assert limit("tail", "max", german, None, 1000, 0.2) == 630
    assert limit("mean-std", "max", german, english, 552) == pytest.approx(statistics.mean([500, 600, 610, 630, 1200]))
    with pytest.raises(ValueError, match="no English documents"):
        limit("quantile", "max", german, None, 1000)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.none() | st.integers(0, 65_535)), max_size=30))
def test_histograms_do_not_depend_on_the_split(rows: list[tuple[str | None, int | None]]) -> None:
    whole, parts = Histograms(("s", "p[0]", "p[1]")), Histograms(("s", "p[0]", "p[1]"))

    def add(histograms: Histograms, some: list[tuple[str | None, int | None]]) -> None:
        pairs = pa.array([None if score is None else [score, 5] for _, score in some], pa.list_(pa.uint16(), 2))
        own = pa.array([score for _, score in some], pa.uint16())
        histograms.add(pa.array([label for label, _ in some], pa.string()), {"s": own, "p": pairs})

    add(whole, rows)
    for row in reversed(rows):
        add(parts, [row])
    for label in ("a", "b"):
        own = [min((score + 5) // 10, BINS - 1) for name, score in rows if name == label and score is not None]
        for column in whole.columns:
            found = whole.of(label, column)
            assert (found is None) == (not own)
            if found is not None:
                np.testing.assert_array_equal(found, parts.of(label, column))
                if column != "p[1]":
                    np.testing.assert_array_equal(found, np.bincount(own, minlength=BINS))
