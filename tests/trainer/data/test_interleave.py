from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.data.interleave import PERIOD, Interleave, counts_in_period

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12)


@given(weights=WEIGHTS)
def test_counts_are_within_one_of_their_share(weights: list[float]) -> None:
    counts = counts_in_period(weights)
    assert sum(counts) == PERIOD and min(counts) >= 1
    shares = [weight / sum(weights) * PERIOD for weight in weights]
    raised = sum(share < 1 for share in shares)
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - share) < 1 or (share == max(shares) and abs(count - share) < 1 + raised)


def test_a_stream_of_next_to_nothing_is_read_all_the_same() -> None:
    assert counts_in_period([1e12, 1e-12, 1e-12]) == [PERIOD - 2, 1, 1]


@settings(max_examples=25)
@given(weights=WEIGHTS, sample=st.integers(0, 3 * PERIOD))
def test_a_sample_is_the_next_of_its_stream(weights: list[float], sample: int) -> None:
    interleave = Interleave(counts_in_period(weights))
    stream, before = interleave.place(sample)
    assert interleave.counts_before(sample)[stream] == before
    after = interleave.counts_before(sample + 1)
    after[stream] -= 1
    assert (after == interleave.counts_before(sample)).all()


@settings(max_examples=25)
@given(weights=WEIGHTS)
def test_counts_never_leave_their_share_by_one(weights: list[float]) -> None:
    counts = counts_in_period(weights)
    interleave = Interleave(counts)
    streams = np.array([interleave.place(sample)[0] for sample in range(PERIOD)])
    for index, count in enumerate(counts):
        given_ = np.cumsum(streams == index)
        ideal = count * np.arange(1, PERIOD + 1) / PERIOD
        assert np.abs(given_ - ideal).max() < 1
        assert given_[-1] == count


def test_one_stream_in_three_comes_every_third_time() -> None:
    interleave = Interleave(counts_in_period([2, 1]))
    places = [sample for sample in range(300) if interleave.place(sample)[0] == 1]
    assert {after - before for before, after in pairwise(places)} == {3}


@pytest.mark.parametrize("streams", [1, 2, 300])
def test_equal_weights_take_turns(streams: int) -> None:
    interleave = Interleave(counts_in_period([1.0] * streams))
    assert {interleave.place(sample)[0] for sample in range(streams + 1)} == set(range(streams))
