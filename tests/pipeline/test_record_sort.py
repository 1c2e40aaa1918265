from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.record_sort import sort_records

NUMBER = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3), st.integers(2**64 - 3, 2**64 - 1))


def in_order(records: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return records[np.lexsort((records[:, 1], records[:, 0]))]


@given(pairs=st.lists(st.tuples(NUMBER, NUMBER), max_size=200))
def test_records_are_in_the_order_of_tuples(pairs: list[tuple[int, int]]) -> None:
    records = np.array(pairs, np.uint64).reshape(-1, 2)
    sort_records(records)
    assert [tuple(record) for record in records.tolist()] == sorted(pairs)


@pytest.mark.parametrize("key_bits", [0, 1, 5, 17, 40, 64])
@pytest.mark.parametrize("item_bits", [0, 3, 64])
def test_many_records_of_any_spread(key_bits: int, item_bits: int) -> None:
    """No difference, a few bits, a range of hashes: what a partition can hold, and what it never should."""
    generator = np.random.default_rng(key_bits * 100 + item_bits)
    high = np.uint64(0xABC << 52 if key_bits < 50 else 0)
    records = np.column_stack(
        [
            generator.integers(0, 1 << key_bits, 50_000, np.uint64) | high,
            generator.integers(0, 1 << item_bits, 50_000, np.uint64),
        ]
    )
    expected = in_order(records)
    sort_records(records)
    assert (records == expected).all()


def test_sorted_and_reversed_records() -> None:
    numbers = np.arange(30_000, dtype=np.uint64)
    records = np.column_stack([numbers // 7, numbers])
    for given_order in (records.copy(), records[::-1].copy()):
        sort_records(given_order)
        assert (given_order == records).all()
