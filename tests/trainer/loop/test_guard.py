from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.config.watching import GuardSection
from lauter.trainer.loop.guard import Guard, Verdict


def good(guard: Guard, steps: int) -> None:
    for step in range(steps):
        assert guard.judge(step * 4, step * 4 + 4, 2.0, 1.0) is Verdict.update


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (2.0, math.nan), (2.0, math.inf)])
def test_what_is_not_finite_is_skipped_then_goes_back_then_stops(loss: float, norm: float) -> None:
    guard = Guard(GuardSection(skips=2, rollbacks=1))
    good(guard, 3)
    saved = guard.state()
    assert guard.judge(12, 16, loss, norm) is Verdict.skip
    assert guard.judge(16, 20, loss, norm) is Verdict.skip
    assert guard.judge(20, 24, loss, norm) is Verdict.back
    guard.go_back(saved)
    assert [guard.next_sample(first, 4) for first in (8, 12, 20, 24)] == [8, 24, 24, 24]
    for first in (24, 28):
        assert guard.judge(first, first + 4, loss, norm) is Verdict.skip
    assert guard.judge(32, 36, loss, norm) is Verdict.stop


def test_a_good_step_between_begins_the_count_anew() -> None:
    guard = Guard(GuardSection(skips=1, rollbacks=0))
    for first in range(0, 80, 8):
        assert guard.judge(first, first + 4, math.nan, 1.0) is Verdict.skip
        assert guard.judge(first + 4, first + 8, 2.0, 1.0) is Verdict.update
    assert guard.judge(80, 84, math.nan, 1.0) is Verdict.skip
    assert guard.judge(84, 88, math.nan, 1.0) is Verdict.stop


@pytest.mark.parametrize(("loss", "norm", "word"), [(6.1, 1.0, "loss"), (2.0, 3.1, "gradient norm")])
def test_a_spike_is_one_only_once_the_window_is_full(loss: float, norm: float, word: str) -> None:
    guard = Guard(GuardSection(spike_factor=3.0, window=8))
    good(guard, 7)
    assert guard.fault(loss, norm) is None
    good(guard, 1)
    found = guard.fault(loss, norm)
    assert found is not None
    assert word in found
    assert "3 times the median" in found
    assert guard.fault(6.0, 3.0) is None


def test_a_spike_does_not_move_the_median() -> None:
    guard = Guard(GuardSection(spike_factor=2.0, window=8, skips=100))
    good(guard, 8)
    assert {guard.judge(first, first + 4, 5.0, 1.0) for first in range(0, 400, 4)} == {Verdict.skip}


def test_without_a_factor_no_spike_is_looked_for() -> None:
    guard = Guard(GuardSection(window=8))
    good(guard, 20)
    assert guard.fault(1e30, 1e30) is None


def test_stretches_that_touch_are_passed_over_in_one_go() -> None:
    guard = Guard(GuardSection(skips=0, rollbacks=3))
    for first, end in ((8, 12), (4, 8), (12, 16)):
        assert guard.judge(first, end, math.nan, 1.0) is Verdict.back
        guard.go_back(None)
    assert guard.passed_over == [(4, 8), (8, 12), (12, 16)]
    assert guard.next_sample(5, 4) == 16
    assert guard.rollbacks == 3


def test_the_state_survives_json_to_the_bit() -> None:
    guard = Guard(GuardSection(skips=1, spike_factor=2.0, window=8))
    for step in range(9):
        guard.judge(step, step + 1, 2.0 + step / 7, 1 / (step + 3))
    guard.judge(9, 10, math.nan, 1.0)
    guard.go_back(guard.state())
    guard.judge(10, 11, math.nan, 1.0)
    other = Guard(GuardSection(skips=1, spike_factor=2.0, window=8))
    other.load(json.loads(json.dumps(guard.state(), allow_nan=False)))
    assert other.state() == guard.state()
    assert other.judge(11, 12, math.nan, 1.0) is guard.judge(11, 12, math.nan, 1.0)


def test_a_stretch_is_open_from_a_bad_step_to_the_next_good_one() -> None:
    guard = Guard(GuardSection())
    found = [guard.in_stretch]
    guard.judge(0, 4, math.nan, 1.0)
    found.append(guard.in_stretch)
    good(guard, 1)
    found.append(guard.in_stretch)
    assert found == [False, True, False]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=6),
    st.integers(0, 90),
    st.integers(1, 30),
)
def test_a_step_of_any_size_has_no_sample_of_a_stretch(
    stretches: list[tuple[int, int]], first: int, count: int
) -> None:
    guard = Guard(GuardSection())
    guard.load({"passed_over": sorted({(start, start + length) for start, length in stretches})})
    bad = {sample for start, end in guard.passed_over for sample in range(start, end)}
    found = guard.next_sample(first, count)
    assert found >= first
    assert bad.isdisjoint(range(found, found + count))
    assert guard.next_sample(found, count) == found
    # No further than it must: the step right before overlaps.
    assert found == first or found - 1 in bad
