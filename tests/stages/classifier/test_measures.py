from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.classifier.measures import area, best_f1, calibration_error, f1, figures

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


@given(PAIRS)
def test_area_is_how_often_a_positive_is_above_a_negative(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    wins = [1.0 * (a > b) + 0.5 * (a == b) for a, p in pairs for b, q in pairs if p and not q]
    expected = sum(wins) / len(wins) if wins else math.nan
    assert area(scores, positive) == pytest.approx(expected, nan_ok=True)


@given(PAIRS)
def test_best_f1_is_that_of_some_threshold(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    found, threshold = best_f1(scores, positive)
    assert found == pytest.approx(max(f1(scores >= least, positive) for least in range(6)))
    assert f1(scores >= threshold, positive) == pytest.approx(found)


def test_calibration_error_by_hand() -> None:
    probability, positive = np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, True, True, True])
    assert calibration_error(probability, positive, np.ones(4)) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_figures_of_a_card() -> None:
    probability, positive = np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False])
    assert figures(probability, positive) == {
        "texts": 4, "positives": 2, "AUC": 0.75, "F1": 0.8, "threshold": 0.3, "ECE": 0.425,
    }  # fmt: skip
