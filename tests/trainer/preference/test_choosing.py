"""Which pairs are taken, by each rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.trainer.config.preference import PairsSection
from lauter.trainer.preference.choosing import chosen_pairs
from lauter.trainer.preference.quantile import quantile_rewards

REFERENCES = 10


def pairs(section: PairsSection, rewards: list[float], fit: list[bool] | None = None) -> list[tuple[int, int]]:
    quantiles = quantile_rewards(rewards, rewards[:REFERENCES])
    able: NDArray[np.bool_] = np.ones(len(rewards), bool) if fit is None else np.array(fit)
    return chosen_pairs(section, quantiles, np.array(rewards), able, REFERENCES, "key")


def test_as_published_one_beats_all_references_and_one_is_in_their_lowest_fifth() -> None:
    rewards = [float(one) for one in range(10)] + [9.0, 9.5, 12.0, 0.5, -1.0]
    found = pairs(PairsSection(per_prompt=9), rewards)
    # 9.0 does not beat the best reference. Below: 0 and 1 of the references, 0.5 and -1 of the others.
    assert [better for better, _ in found] == [12, 11]
    assert {worse for _, worse in found} < {0, 1, 13, 14}
    assert len(pairs(PairsSection(), rewards)) == 1
    assert pairs(PairsSection(), rewards[:11]) == []
    assert pairs(PairsSection(), rewards, [True] * 11 + [False, False, True, True]) == []


def test_spread_takes_the_outermost_first() -> None:
    rewards = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5, 3.5]
    assert pairs(PairsSection(choice="spread", per_prompt=3), rewards) == [(5, 1), (7, 3), (8, 6)]
    assert pairs(PairsSection(choice="spread"), [2.0] * 10) == []


@given(
    st.sampled_from(["published", "spread", "random"]),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=REFERENCES, max_size=20),
)
def test_no_completion_is_in_two_pairs_and_the_better_one_comes_first(
    choice: str, most: int, some: list[tuple[int, bool]]
) -> None:
    rewards, fit = [float(one) for one, _ in some], [one for _, one in some]
    section = PairsSection.model_validate({"choice": choice, "per_prompt": most})
    found = pairs(section, rewards, fit)
    assert found == pairs(section, rewards, fit)
    used = [one for pair in found for one in pair]
    assert len(set(used)) == len(used) <= 2 * most
    for better, worse in found:
        assert fit[better]
        assert fit[worse]
        assert rewards[better] > rewards[worse] or (choice == "random" and rewards[better] == rewards[worse])


def test_random_pairs_are_any_two() -> None:
    rewards = [float(one) for one in range(REFERENCES)]
    section = PairsSection(choice="random", per_prompt=5)
    quantiles, able = quantile_rewards(rewards, rewards), np.ones(REFERENCES, bool)
    seen = {
        pair
        for seed in range(200)
        for pair in chosen_pairs(section, quantiles, np.array(rewards), able, REFERENCES, str(seed))
    }
    assert len(seen) == pytest.approx(REFERENCES * (REFERENCES - 1) / 2)
