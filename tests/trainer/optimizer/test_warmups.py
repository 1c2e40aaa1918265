from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.optimizer.warmups import alpha_at, beta3_at

VECTORS = [
    (1, 8e-5, 0.90098833),
    (100, 0.008, 0.94996625),
    (1_000, 0.08, 0.99090099),
    (10_000, 0.8, 0.99900901),
    (50_000, 4.0, 0.99980022),
    (100_000, 8.0, 0.9999),
    (1_000_000, 8.0, 0.9999),
]


@pytest.mark.parametrize(("step", "alpha", "beta3"), VECTORS)
def test_apertus_values(step: int, alpha: float, beta3: float) -> None:
    assert alpha_at(step, 8.0, 100_000) == pytest.approx(alpha, rel=1e-12)
    assert beta3_at(step, 0.9, 0.9999, 100_000) == pytest.approx(beta3, abs=5e-9)


def test_apples_constant_is_inside_the_logarithm() -> None:
    # Without it, the half-lives of 0.9 and 0.9999 are those of the paper, and this is 0.9499637.
    assert beta3_at(1, 0.9, 0.9999, 1_000) == pytest.approx(0.9499662, abs=5e-8)


def test_without_warmup_the_end_values_hold_from_the_first_step() -> None:
    assert (alpha_at(1, 8.0, 0), beta3_at(1, 0.9, 0.9999, 0)) == (8.0, 0.9999)


@given(st.integers(1, 10_000), st.integers(1, 5_000))
def test_both_rise_and_stay_between_their_ends(step: int, warmup: int) -> None:
    assert 0 < alpha_at(step, 8.0, warmup) <= alpha_at(step + 1, 8.0, warmup) <= 8.0
    assert 0.9 <= beta3_at(step, 0.9, 0.9999, warmup) <= beta3_at(step + 1, 0.9, 0.9999, warmup) + 1e-11
    assert beta3_at(step, 0.9, 0.9999, warmup) <= 0.9999
