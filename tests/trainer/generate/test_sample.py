from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.generate.sample import choose, draw, sources_of_chance


def _slow_nucleus(probabilities: list[float], top_p: float) -> list[int]:
    """The definition, one token at a time."""
    left = list(range(len(probabilities)))
    nucleus: list[int] = []
    total = 0.0
    while left:
        best = max(left, key=lambda token: (probabilities[token], -token))
        left.remove(best)
        nucleus.append(best)
        total += probabilities[best]
        if top_p < 1 and total >= top_p:
            break
    return nucleus


def _slow_draw(probabilities: list[float], top_p: float, uniform: float) -> int:
    nucleus = _slow_nucleus(probabilities, top_p)
    mass = 0.0
    for token in nucleus:
        mass += probabilities[token]
    reached = 0.0
    for token in nucleus:
        reached += probabilities[token]
        if uniform * mass < reached:
            return token
    return nucleus[-1]


weights = st.lists(st.sampled_from([0.0, 1e-12, 1.0, 2.0, 3.5, 50.0]), min_size=1, max_size=12).filter(any)


@given(weights, st.floats(0.01, 1), st.floats(0, 1, exclude_max=True))
def test_a_draw_is_the_definition_s(odds: list[float], top_p: float, uniform: float) -> None:
    probabilities = np.array(odds) / sum(odds)
    assert draw(probabilities, top_p, uniform) == _slow_draw(probabilities.tolist(), top_p, uniform)


def test_the_nucleus_is_the_smallest_that_reaches_top_p() -> None:
    probabilities = np.array([0.1, 0.4, 0.2, 0.3])
    spread = np.linspace(0, 1, 2000, endpoint=False)
    assert {draw(probabilities, 0.4, u) for u in spread} == {1}
    assert {draw(probabilities, 0.41, u) for u in spread} == {1, 3}
    assert {draw(probabilities, 0.95, u) for u in spread} == {0, 1, 2, 3}


def test_shares_are_the_nucleus_s_own_odds() -> None:
    probabilities = np.array([0.1, 0.4, 0.2, 0.3])
    spread = (np.arange(7000) + 0.5) / 7000
    found = np.bincount([draw(probabilities, 0.7, u) for u in spread], minlength=4) / 7000
    assert np.allclose(found, [0, 4 / 7, 0, 3 / 7], atol=1e-3)


def test_what_has_no_probability_is_never_drawn() -> None:
    probabilities = np.array([0.0, 1.0, 0.0])
    assert {draw(probabilities, 1.0, u) for u in (0.0, 0.5, float(np.nextafter(1, 0)))} == {1}


def test_greedy_takes_the_lowest_of_equal_ids() -> None:
    assert choose(torch.tensor([[0.0, 2.0, 2.0], [3.0, 0.0, 3.0]], dtype=torch.bfloat16), 0, 1, [0.9, 0.9]) == [1, 0]


def test_temperature_sharpens() -> None:
    logits = torch.tensor([[0.0, 1.0]])
    spread = (np.arange(2000) + 0.5) / 2000
    for temperature in (0.5, 1.0, 2.0):
        found = np.mean([choose(logits, temperature, 1.0, [float(u)])[0] == 1 for u in spread])
        assert abs(found - 1 / (1 + np.exp(-1 / temperature))) < 1e-3


def test_chance_follows_seed_prompt_and_place_among_equal_prompts_only() -> None:
    def first(prompts: list[list[int]], seed: int) -> list[float]:
        return [source.random() for source in sources_of_chance(prompts, seed)]

    a, b, c = [1, 2], [1, 3], [12]
    both = first([a, b, a], 7)
    assert len(set(both)) == 3
    assert first([a], 7) == both[:1]
    assert first([c, b, a, a], 7)[1:] == [both[1], both[0], both[2]]
    assert first([a], 8) != both[:1]
    # Fixed for good: a continuation can be made again years later.
    assert first([[1, 2, 3]], 28) == [0.3776745528838551]


def test_near_zero_is_zero() -> None:
    logits = torch.tensor([[1.0, 5.0, 2.0]])
    for temperature in (1e-300, 1e-310, 5e-324):
        assert choose(logits, temperature, 1.0, [0.999]) == [1]
