from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.thresholds.frequencies import Folding, count_words, shares
from lauter.stages.thresholds.stop_words import FEWEST, MOST, SHARE, passing, stop_words

FOLDING = Folding()


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("The,", "the"),
        ("l'", "l"),
        ("«ÜBER»", "über"),
        ("དང་", "དང"),
        ("2024", None),
        ("·", None),
        ("།", None),
        ("bok kei", None),
        ("a\u00a0b", None),
        ("\u200b", None),
        ("年", "年"),
    ],
)
def test_words_are_folded_as_the_kernel_compares_them(word: str, folded: str | None) -> None:
    assert FOLDING.fold(word) == folded


def test_words_of_texts_are_counted_in_every_script() -> None:
    found = count_words(["Der Hund, der bellt.", "DER", "ภาษาไทยเป็นภาษา 12", ""], FOLDING)
    assert found == {"der": 3, "hund": 1, "bellt": 1, "ภาษา": 2, "ไทย": 1, "เป็น": 1}


def test_a_share_is_the_mean_over_sources() -> None:
    assert shares({"a": {"x": 1, "y": 3}, "b": {"x": 500, "": 500}, "c": {}}) == {"x": 0.375, "y": 0.375}


@given(st.lists(st.floats(0.001, 0.05), min_size=2, max_size=6), st.integers(2, 30))
def test_the_probability_of_two_is_that_of_drawing(listed: list[float], words: int) -> None:
    draw = random.Random(0)
    choices, weights = [*range(len(listed)), -1], [*listed, 1 - sum(listed)]
    passed = 0
    for _ in range(1000):
        passed += len(set(draw.choices(choices, weights, k=words)) - {-1}) >= 2
    assert passing(listed, words) == pytest.approx(passed / 1000, abs=0.06)


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(1e-6, 0.1), max_size=80))
def test_a_list_has_the_frequent_words_in_order_and_enough_of_them(given_shares: dict[str, float]) -> None:
    total = max(1.0, sum(given_shares.values()))
    scaled = {word: share / total for word, share in given_shares.items()}
    found = stop_words(scaled)
    if found is None:
        ranked = sorted(scaled.values(), reverse=True)[:MOST]
        assert len(ranked) < FEWEST or passing(ranked) < 0.9
        return
    assert FEWEST <= len(found) <= MOST
    assert passing([scaled[word] for word in found]) >= 0.9
    assert [scaled[word] for word in found] == sorted(scaled.values(), reverse=True)[: len(found)]
    frequent = [word for word, share in scaled.items() if share >= SHARE]
    assert set(frequent) <= set(found) or len(frequent) > MOST
