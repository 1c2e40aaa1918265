"""Log-odds as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.log_odds import HALF, column, probability, score_at, scores_of, words


@given(st.floats(-40, 40, allow_nan=False))
def test_a_score_is_a_step_of_its_logit(logit: float) -> None:
    score = int(scores_of(np.array([logit], np.float64))[0])
    assert abs((score - HALF) / 1024 - min(max(logit, -16), 16)) <= 0.5 / 1024


@given(st.integers(HALF - 16 * 1024, HALF + 16 * 1024))
def test_a_probability_leads_back_to_its_score(score: int) -> None:
    # Near 1 a double is too coarse for the last steps: 1 - 1.1e-7 has nine digits less.
    assert abs(score_at(probability(score)) - score) <= 1


def test_fixed_points() -> None:
    assert [score_at(value) for value in (0, 0.5, 1)] == [HALF - 16384, HALF, HALF + 16384]
    assert probability(HALF) == 0.5
    assert score_at(0.99944061) - score_at(0.9994) > 50
    with pytest.raises(ValueError, match="from 0 to 1"):
        score_at(1.5)
    with pytest.raises(ValueError, match="not a number"):
        scores_of(np.array([np.nan]))


def test_words_have_digits_that_count() -> None:
    assert [words(score_at(value)) for value in (0.8215, 0.99944061, 0.0000011)] == ["0.8215", "0.999441", "0.00000110"]


def test_a_column_is_null_where_nothing_is_known() -> None:
    logits = np.array([0.0, np.nan, 2.0], np.float32)
    assert column(logits, np.array([True, False, True])).to_pylist() == [HALF, None, HALF + 2048]
