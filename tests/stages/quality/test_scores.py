from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.quality.scores import quantised


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from([100, 10_000]))
def test_quantised_is_the_exact_ratio_rounded_half_to_even(numerator: int, denominator: int, scale: int) -> None:
    expected = min(round(Fraction(numerator * scale, denominator)), 65_535) if denominator else 0
    found = quantised(np.array([numerator], np.int64), np.array([denominator], np.int64), scale)
    assert found.dtype == np.uint16
    assert found.tolist() == [expected]


def test_ties_go_to_the_even_neighbour() -> None:
    # 0.00005, 0.00015 and 0.00025 in ten-thousandths.
    found = quantised(np.array([1, 3, 5]), np.full(3, 20_000), 10_000)
    assert found.tolist() == [0, 2, 2]
