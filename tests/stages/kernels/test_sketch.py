"""Sketches: the formula of b-bit MinHash, its error against theory, and what a sketch alone decides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.comparing import NO, OPEN, YES
from lauter.stages.kernels.minhash import lower_minima, permutations
from lauter.stages.kernels.sketch import (
    SKETCH_BYTES,
    agreeing,
    doubtful,
    estimate,
    judge_sketches,
    sketches,
    standard_error,
)

Bytes = NDArray[np.uint8]


def pairs_of_sets(similarity: float, union: int, trials: int, seed: int) -> tuple[NDArray[np.uint32], ...]:
    """Minima of both sides of pairs of random sets, shape (trials, 112) each; similarity * union is whole."""
    random = np.random.default_rng(seed)
    drawn = permutations(seed, SKETCH_BYTES)
    shared = round(similarity * union)
    middle = shared + (union - shared) // 2
    minima = np.full((2, trials, SKETCH_BYTES), 2**32 - 1, np.uint32)
    for trial in range(trials):
        values = random.integers(0, 2**32, union, dtype=np.uint32)
        sides = values[:middle], np.concatenate((values[:shared], values[middle:]))
        for side, hashes in enumerate(sides):
            lower_minima(hashes, drawn.multiplier, drawn.increment, minima[side, trial])
    return minima[0], minima[1]


def test_the_formula_gives_its_ends_and_its_middle() -> None:
    assert estimate(SKETCH_BYTES) == 1
    assert estimate(0) == pytest.approx(-1 / 255)
    # Of 112 bytes 0.8 agree by similarity and 1/256 of the others by chance.
    assert estimate(round(SKETCH_BYTES * (0.8 + 0.2 / 256))) == pytest.approx(0.8, abs=0.005)
    assert standard_error(0.8) == pytest.approx(0.0379, abs=5e-5)
    assert standard_error(1) == 0
    # Without the correction it would be that of 112 whole minima.
    assert standard_error(0.8) > math.sqrt(0.16 / SKETCH_BYTES)


@pytest.mark.parametrize("similarity", [0.1, 0.5, 0.8, 0.95])
def test_the_estimate_is_unbiased_and_as_exact_as_theory_says(similarity: float) -> None:
    trials = 1500
    left, right = pairs_of_sets(similarity, 200, trials, seed=1)
    sizes = np.ones(trials, np.uint32)
    matches = agreeing(sketches(left, sizes), sketches(right, sizes))
    error = np.array([estimate(int(m)) for m in matches]) - similarity
    expected = standard_error(similarity)
    assert abs(error.mean()) < 3.5 * expected / math.sqrt(trials)
    # The root mean square of n normal errors is within 3.5 / sqrt(2 n) of its expectation.
    assert math.sqrt(np.mean(error**2)) / expected == pytest.approx(1, abs=3.5 / math.sqrt(2 * trials))
    # One byte a minimum loses next to nothing: whole minima of the same sets are hardly nearer to the truth.
    whole = (left == right).mean(axis=1) - similarity
    assert math.sqrt(np.mean(error**2)) <= 1.1 * math.sqrt(np.mean(whole**2))


def test_low_bytes_of_other_minima_agree_by_chance_alone() -> None:
    left, right = pairs_of_sets(0, 400, 1500, seed=2)
    sizes = np.ones(len(left), np.uint32)
    share = agreeing(sketches(left, sizes), sketches(right, sizes)).mean() / SKETCH_BYTES
    assert share == pytest.approx(1 / 256, abs=3.5 * math.sqrt(1 / 256 / (SKETCH_BYTES * len(left))))


@given(st.floats(0.01, 1))
def test_what_is_doubtful_is_within_three_standard_errors(threshold: float) -> None:
    least, most = doubtful(threshold)
    reach = 3 * standard_error(threshold)
    assert 0 <= least <= most <= SKETCH_BYTES
    assert threshold - reach <= estimate(least) <= estimate(most) <= threshold + reach
    assert least == 0 or estimate(least - 1) < threshold - reach
    assert most == SKETCH_BYTES or estimate(most + 1) > threshold + reach


def judged(matches: int, sizes: tuple[int, int] = (100, 100), threshold: float = 0.8) -> int:
    left, right = np.zeros((1, SKETCH_BYTES), np.uint8), np.zeros((1, SKETCH_BYTES), np.uint8)
    right[0, matches:] = 1
    one, two = (np.array([size], np.uint32) for size in sizes)
    return int(judge_sketches(one, left, two, right, threshold)[0])


def test_a_pair_is_judged_by_its_matches() -> None:
    least, most = doubtful(0.8)
    verdicts = [judged(matches) for matches in range(SKETCH_BYTES + 1)]
    assert verdicts == [NO] * least + [OPEN] * (most + 1 - least) + [YES] * (SKETCH_BYTES - most)


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [((80, 100), YES), ((100, 80), YES), ((79, 100), NO), ((100, 79), NO), ((0, 0), NO), ((0, 5), NO), ((1, 1), YES)],
)
def test_sizes_bound_the_similarity(sizes: tuple[int, int], verdict: int) -> None:
    assert judged(SKETCH_BYTES, sizes) == verdict


def test_near_one_even_equal_sketches_leave_a_doubt() -> None:
    assert [judged(matches, threshold=1.0) for matches in (SKETCH_BYTES, SKETCH_BYTES - 1)] == [OPEN, NO]
    assert judged(SKETCH_BYTES, threshold=0.95) == OPEN


def test_a_text_without_shingles_has_a_sketch_of_zeros() -> None:
    minima = np.full((2, SKETCH_BYTES + 8), 2**32 - 1, np.uint32)
    found = sketches(minima, np.array([0, 1], np.uint32))
    assert found.shape == (2, SKETCH_BYTES)
    assert found.dtype == np.uint8
    assert not found[0].any()
    assert (found[1] == 255).all()


def test_agreement_equals_numpy() -> None:
    random = np.random.default_rng(0)
    left = random.integers(0, 3, (50, SKETCH_BYTES)).astype(np.uint8)
    right = random.integers(0, 3, (50, SKETCH_BYTES)).astype(np.uint8)
    assert agreeing(left, right).tolist() == (left == right).sum(axis=1).tolist()
