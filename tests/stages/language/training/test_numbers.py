from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.training.numbers import TABLE, below, key_of, length_table, number, shuffle

_MASK = (1 << 64) - 1


def split_mix(key: int, place: int) -> int:
    """SplitMix64 in Python's integers."""
    state = (key + (place + 1) * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _MASK
    return state ^ state >> 31


@given(st.integers(0, _MASK), st.integers(0, 2**40))
def test_numbers_are_those_of_split_mix(key: int, place: int) -> None:
    assert number(np.uint64(key), place) == split_mix(key, place)


def test_the_first_numbers_are_the_published_ones() -> None:
    # Of seed 1234567 (S. Vigna's splitmix64.c, as Rosetta Code lists them).
    assert [number(np.uint64(1234567), place) for place in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(st.integers(0, _MASK), st.integers(1, 2**31 - 1))
def test_a_number_below_a_limit(bits: int, limit: int) -> None:
    assert below(np.uint64(bits), limit) == (bits >> 32) * limit >> 32 < limit


def test_a_shuffle_keeps_all_and_depends_on_the_key() -> None:
    values, others = np.arange(1000), np.arange(1000)
    shuffle(values, np.uint64(1))
    shuffle(others, np.uint64(2))
    assert sorted(values) == list(range(1000))
    assert (values != others).any() and (values != np.arange(1000)).any()


def test_each_purpose_has_its_own_key() -> None:
    keys = {key_of(6, purpose, place) for purpose in ("order", "lines") for place in range(50)}
    assert len(keys) == 100


def test_lengths_have_their_median_and_bounds() -> None:
    lengths = length_table(10.5, 0.6, 2, 45)
    assert len(lengths) == TABLE
    assert 10 <= np.median(lengths) <= 11
    assert lengths.min() >= 2 and lengths.max() <= 45
    assert (np.diff(lengths) >= 0).all()
