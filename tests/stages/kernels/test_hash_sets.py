"""Sets of hashes against Python's own sets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels.hash_sets import distinct, similar, sorted_set

u32 = st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1), st.integers(2**32 - 4, 2**32 - 1))
hash_sets = st.lists(st.frozensets(st.integers(0, 30), max_size=20), min_size=2, max_size=12)


@settings(deadline=None)  # the first call compiles
@given(st.lists(u32, max_size=60))
def test_a_sorted_set_is_pythons(hashes: list[int]) -> None:
    given_hashes = np.array(hashes, np.uint32)
    assert sorted_set(given_hashes).tolist() == sorted(set(hashes))
    assert distinct(given_hashes) == len(set(hashes))
    assert given_hashes.tolist() == hashes


def test_a_large_set_and_one_of_a_single_value() -> None:
    random = np.random.default_rng(0).integers(0, 2**32, 300_000, dtype=np.uint32)
    assert np.array_equal(sorted_set(random), np.unique(random))
    assert distinct(random) == np.unique(random).size
    assert sorted_set(np.full(100_000, 7, np.uint32)).tolist() == [7]


def test_hashes_that_are_made_to_collide_are_counted_too() -> None:
    """They fall on 64 places of the table of `distinct`, so that a search would take a thousand steps: sorted."""
    values = np.arange(200_000, dtype=np.uint32) << np.uint32(14)
    assert distinct(values) == distinct(np.repeat(values, 2)[::-1]) == 200_000


def joined(sets: list[frozenset[int]]) -> tuple[np.ndarray, np.ndarray]:
    values = [value for one in sets for value in sorted(one)]
    return np.array(values, np.uint32), np.cumsum([0, *map(len, sets)]).astype(np.int64)


@settings(deadline=None)  # the first call compiles
@given(hash_sets, st.sampled_from(["0.01", "0.5", "0.8", "0.75", "1"]))
def test_similarity_equals_exact_fractions(sets: list[frozenset[int]], threshold: str) -> None:
    left, right = sets[0::2][: len(sets) // 2], sets[1::2]
    expected = [
        bool(one & two) and Fraction(len(one & two), len(one | two)) >= Fraction(threshold)
        for one, two in zip(left, right, strict=True)
    ]
    assert similar(*joined(left), *joined(right), float(threshold)).tolist() == expected


@pytest.mark.parametrize("fifths", [5, 10, 15, 85, 5_000_005])
def test_four_fifths_are_at_least_0_8(fifths: int) -> None:
    """A product with 0.8 would be rounded up somewhere; a division of two whole numbers is not."""
    shared = fifths // 5 * 4
    whole, part = np.arange(fifths, dtype=np.uint32), np.arange(shared, dtype=np.uint32)
    assert similar(whole, np.array([0, fifths]), part, np.array([0, shared]), 0.8).tolist() == [True]
    assert similar(whole, np.array([0, fifths]), part, np.array([0, shared - 1]), 0.8).tolist() == [False]


def test_lists_may_begin_anywhere() -> None:
    values = np.array([9, 1, 2, 3, 1, 2], np.uint32)
    assert similar(values, np.array([1, 4]), values, np.array([4, 6]), 0.6).tolist() == [True]
    assert similar(values, np.array([1, 4]), values, np.array([4, 6]), 0.7).tolist() == [False]
