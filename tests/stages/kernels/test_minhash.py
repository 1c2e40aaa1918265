"""MinHash: the kernels against plain Python, the estimate against true Jaccard, the bands against their S-curve."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.kernels.minhash import (
    band_keys,
    lower_minima,
    permutations,
    shingle_hashes,
    shingle_sets,
    signatures,
)
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, text_buffers, word_hashes
from tests.stages.kernels.test_hashing import GOLDEN, MASK, finish_plainly, fold_plainly

FLAGS = FOLD_CASE | DROP_PUNCTUATION | FOLD_DIGITS
LEAST = 0xFFFFFFFF

words_of_text = st.lists(st.sampled_from(["tea", "Tea,", "mill", "Öl", "水", "12", "13", "—", "rye"]), max_size=12)


def shingles_plainly(words: list[int], ngram: int) -> list[int]:
    found = []
    for start in range(len(words) - ngram + 1):
        state = 0
        for word in words[start : start + ngram]:
            state = state * GOLDEN + word & MASK
        found.append(finish_plainly(state) >> 32)
    return found


def signature_plainly(shingles: list[int], seed: int, count: int) -> list[int]:
    drawn = [finish_plainly(seed + i * GOLDEN & MASK) >> 32 for i in range(1, 2 * count + 1)]
    pairs = zip(drawn[0::2], drawn[1::2], strict=True)
    return [min((x * (a | 1) + b) % 2**32 for x in set(shingles)) for a, b in pairs]


def sign(
    texts: list[str], ngram: int = 5, min_words: int = 5, seed: int = 0, count: int = 112
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    buffers = text_buffers(pa.array(texts, pa.large_string()))
    drawn = permutations(seed, count)
    return signatures(buffers.data, buffers.offsets, FLAGS, ngram, min_words, drawn.multiplier, drawn.increment)


def minima_of(shingles: NDArray[np.uint32], count: int = 112, seed: int = 0) -> NDArray[np.uint32]:
    drawn = permutations(seed, count)
    minima = np.full(count, LEAST, np.uint32)
    lower_minima(shingles, drawn.multiplier, drawn.increment, minima)
    return minima


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, MASK), min_size=1, max_size=20), st.data())
def test_shingles_equal_plain_python(words: list[int], data: st.DataObject) -> None:
    ngram = data.draw(st.integers(1, len(words)))
    assert shingle_hashes(np.array(words, np.uint64), ngram).tolist() == shingles_plainly(words, ngram)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(words_of_text, max_size=4), st.integers(1, 6), st.integers(1, 6), st.integers(0, MASK), st.integers(1, 20)
)
def test_signatures_equal_plain_python(
    texts: list[list[str]], ngram: int, min_words: int, seed: int, count: int
) -> None:
    joined = [" ".join(words) for words in texts]
    minima, sizes = sign(joined, ngram, min_words, seed, count)
    buffers = text_buffers(pa.array(joined, pa.large_string()))
    sets, bounds = shingle_sets(buffers.data, buffers.offsets, FLAGS, ngram, min_words)
    assert np.diff(bounds).tolist() == sizes.tolist()
    for index, (text, row) in enumerate(zip(joined, minima.tolist(), strict=True)):
        raw = np.frombuffer(text.encode(), np.uint8)
        # A word of digits only has the hash of as many zeros; where most words have, digits stay as they are.
        folded = word_hashes(raw, 0, raw.size, FLAGS).tolist()
        plain = word_hashes(raw, 0, raw.size, FLAGS & ~FOLD_DIGITS).tolist()
        zeros = np.frombuffer(" ".join("0" * digits for digits in range(1, 200)).encode(), np.uint8)
        numbers = set(word_hashes(zeros, 0, zeros.size, FLAGS).tolist())
        words = plain if 2 * sum(word in numbers for word in folded) > len(folded) else folded
        shingles = shingles_plainly(words, ngram) if len(words) >= max(ngram, min_words) else []
        assert sets[bounds[index] : bounds[index + 1]].tolist() == sorted(set(shingles))
        assert row == (signature_plainly(shingles, seed, count) if shingles else [LEAST] * count)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_order_and_repetition_of_shingles_do_not_matter(shingles: list[int]) -> None:
    repeated = np.array(shingles * 3, np.uint32)
    shuffled = np.random.default_rng(len(shingles)).permutation(repeated)
    assert minima_of(shuffled).tolist() == minima_of(np.array(shingles, np.uint32)).tolist()


@settings(deadline=None)  # the first call compiles
@given(st.integers(1, 20_000))
def test_blocks_leave_no_seam(size: int) -> None:
    shingles = np.random.default_rng(size).integers(0, 2**32, size, dtype=np.uint32)
    drawn = permutations(3, 4)
    expected = (drawn.multiplier[:, None] * shingles + drawn.increment[:, None]).min(axis=1)
    assert minima_of(shingles, count=4, seed=3).tolist() == expected.tolist()


@settings(deadline=None)  # the first call compiles
@given(st.lists(words_of_text, min_size=1, max_size=6), st.data())
def test_a_signature_does_not_depend_on_the_batch(texts: list[list[str]], data: st.DataObject) -> None:
    joined = [" ".join(words) for words in texts]
    order = data.draw(st.permutations(range(len(joined))))
    assert sign(joined)[0][order].tolist() == sign([joined[i] for i in order])[0].tolist()
    assert sign(joined)[0][-1:].tolist() == sign(joined[-1:])[0].tolist()


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 5), st.integers(1, 6), st.integers(1, 5), st.integers(0, MASK))
def test_band_keys_equal_plain_python(count: int, bands: int, rows: int, salt: int) -> None:
    random = np.random.default_rng([count, bands, rows])
    minima = random.integers(0, 2**32, (count, bands * rows), dtype=np.uint32)
    expected = []
    for row in minima.tolist():
        for band in range(bands):
            state = fold_plainly(salt, band + 1)
            for value in row[band * rows : (band + 1) * rows]:
                state = fold_plainly(state, value)
            expected.append(state)
    found = band_keys(minima, np.full(count, salt, np.uint64), bands, rows)
    assert found.shape == (count, bands)
    assert found.ravel().tolist() == expected


def test_the_same_minima_in_another_band_are_another_key() -> None:
    keys = band_keys(np.zeros((1, 112), np.uint32), np.zeros(1, np.uint64), 14, 8)
    assert np.unique(keys).size == 14


def text_pair(random: np.random.Generator, vocabulary: list[str]) -> tuple[list[str], list[str]]:
    """Two texts of 40 to 400 words; the second has some runs of words of the first replaced."""
    first = [vocabulary[i] for i in random.integers(0, len(vocabulary), random.integers(40, 400))]
    second = list(first)
    for position in random.integers(0, len(first), random.integers(1, max(2, len(first) // 8))):
        second[position] = vocabulary[random.integers(0, len(vocabulary))]
    return first, second


def test_estimates_of_text_pairs_are_unbiased_and_as_exact_as_theory() -> None:
    random = np.random.default_rng(5)
    vocabulary = [f"w{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}{'uvwxyz'[i // 100]}" for i in range(600)]
    pairs = [text_pair(random, vocabulary) for _ in range(1000)]
    minima, sizes = sign([" ".join(text) for pair in pairs for text in pair])
    assert sizes.all()
    estimates = (minima[0::2] == minima[1::2]).mean(axis=1)
    sets = [tuple(set(zip(*(text[i:] for i in range(5)), strict=False)) for text in pair) for pair in pairs]
    truth = np.array([len(first & second) / len(first | second) for first, second in sets])
    variance = truth * (1 - truth) / 112
    error = estimates - truth
    assert truth.std() > 0.15
    assert abs(error.sum()) < 3.5 * math.sqrt(variance.sum())
    # The mean square of 1,000 errors lies within 14 % of its expectation with probability 0.998.
    assert np.mean(error**2) / variance.mean() == pytest.approx(1, abs=0.14)


@pytest.mark.parametrize("size", [10, 300, pytest.param(100_000, marks=pytest.mark.slow)])
def test_linear_permutations_are_as_good_as_independent_ones(size: int) -> None:
    trials = 2000 if size <= 300 else 300
    random = np.random.default_rng(size)
    shared = size // 2
    hits = np.empty(trials)
    for trial in range(trials):
        union = random.integers(0, 2**32, size, dtype=np.uint32)
        middle = shared + (size - shared) // 2
        first = minima_of(union[:middle], seed=trial % 7)
        second = minima_of(np.concatenate((union[:shared], union[middle:])), seed=trial % 7)
        hits[trial] = np.mean(first == second)
    deviation = math.sqrt(0.25 / 112)
    assert abs(hits.mean() - 0.5) < 3.5 * deviation / math.sqrt(trials)
    assert math.sqrt(np.mean((hits - 0.5) ** 2)) / deviation == pytest.approx(1, abs=3.5 / math.sqrt(2 * trials))


@pytest.mark.parametrize("shared", [50, 60, 70, 80, 90])
def test_candidates_follow_the_s_curve(shared: int) -> None:
    trials = 2000
    random = np.random.default_rng(shared)
    minima = np.empty((2 * trials, 112), np.uint32)
    for trial in range(trials):
        union = random.integers(0, 2**32, 100, dtype=np.uint32)
        middle = shared + (100 - shared) // 2
        minima[2 * trial] = minima_of(union[:middle])
        minima[2 * trial + 1] = minima_of(np.concatenate((union[:shared], union[middle:])))
    keys = band_keys(minima, np.zeros(2 * trials, np.uint64), 14, 8)
    found = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    expected = 1 - (1 - (shared / 100) ** 8) ** 14
    assert abs(found - expected) < 3.5 * math.sqrt(expected * (1 - expected) / trials)
