"""Pairs of a bucket: all of them, or those with two hubs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.dedup.pairs import ALL_PAIRS, bucket_pairs, pairs_of_buckets
from tests.stages.dedup.reference import pairs_plainly

u64 = st.one_of(st.integers(0, 30), st.integers(2**64 - 4, 2**64 - 1))


def table(rows: set[tuple[int, int]]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    ordered = np.array(sorted(rows), np.uint64).reshape(-1, 2)
    return np.ascontiguousarray(ordered[:, 0]), np.ascontiguousarray(ordered[:, 1])


@settings(deadline=None)  # the first call compiles
@given(st.sets(st.tuples(st.integers(0, 4), u64), max_size=60), st.integers(1, 12))
def test_pairs_equal_plain_python(rows: set[tuple[int, int]], all_pairs: int) -> None:
    found = bucket_pairs(*table(rows), all_pairs)
    assert found.dtype == np.uint64
    assert found.shape[1:] == (2,)
    buckets = [sorted(item for key, item in rows if key == wanted) for wanted in range(5)]
    assert sorted(map(tuple, found.tolist())) == sorted(p for one in buckets for p in pairs_plainly(one, all_pairs))


@pytest.mark.parametrize("size", [2, 3, ALL_PAIRS - 1, ALL_PAIRS])
def test_a_small_bucket_has_all_its_pairs(size: int) -> None:
    found = pairs_of_buckets(*table({(7, item) for item in range(size)}))
    assert sorted(map(tuple, found.tolist())) == list(combinations(range(size), 2))


@pytest.mark.parametrize("size", [ALL_PAIRS + 1, 1000])
def test_a_large_bucket_has_two_hubs_and_no_pair_twice(size: int) -> None:
    found = [tuple(pair) for pair in pairs_of_buckets(*table({(7, item) for item in range(size)})).tolist()]
    assert len(found) == len(set(found)) == 2 * size - 3
    assert all(smaller == 0 or larger == size - 1 for smaller, larger in found)
    assert {item for pair in found for item in pair} == set(range(size))


def test_no_rows_make_no_pairs() -> None:
    empty = np.empty(0, np.uint64)
    assert pairs_of_buckets(empty, empty).shape == (0, 2)
