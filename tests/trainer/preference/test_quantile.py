"""Quantile rewards: the definition, and that they are uniform under the reference."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.preference.quantile import quantile_rewards

finite = st.floats(-1e9, 1e9)


@given(st.lists(finite), st.lists(finite, min_size=1))
def test_it_is_the_share_of_references_that_are_not_better(rewards: list[float], references: list[float]) -> None:
    expected = [sum(one <= reward for one in references) / len(references) for reward in rewards]
    assert quantile_rewards(rewards, references).tolist() == expected


@pytest.mark.parametrize("scale", [lambda r: r, lambda r: 1e6 * r**3], ids=["plain", "stretched"])
def test_under_the_reference_it_is_uniform_whatever_the_scale(scale: Callable[[float], float]) -> None:
    draw, n, trials = random.Random(3), 9, 5_000
    seen = [0] * (n + 1)
    for _ in range(trials):
        references = [scale(draw.gauss(0, 1)) for _ in range(n)]
        seen[round(n * quantile_rewards([scale(draw.gauss(0, 1))], references)[0])] += 1
    # Each of the n + 1 ranks is as likely as the others: chi-squared of 9 degrees is below 27.9 in 99.9 %.
    expected = trials / (n + 1)
    assert sum((count - expected) ** 2 / expected for count in seen) < 27.9


def test_what_gives_no_quantile_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        quantile_rewards([1.0], [])
    with pytest.raises(ValueError, match="not finite"):
        quantile_rewards([float("nan")], [1.0])
    with pytest.raises(ValueError, match="not finite"):
        quantile_rewards([1.0], [float("inf")])
