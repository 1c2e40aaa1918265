"""MinHash signatures of texts and their LSH band keys (Broder 1997; Indyk and Motwani 1998).

The scheme is fully specified, so that signatures of different years and machines can be compared:

1. words and their 64-bit hashes are those of `words.word_hashes`; where digits are to be folded but more than half of
   the words are numbers, digits are not folded: the numbers are the content, and without them two timetables of one
   station or two tables of prices would have the same shingles;
2. the hash of a shingle of n words w1 … wn is h = w1 * B**(n-1) + … + wn mod 2**64 with B = `hashing.GOLDEN`, rolled
   from word to word, and x = the upper 32 bits of finish_hash(h);
3. permutation k maps x to a_k * x + b_k mod 2**32. Row k of the signature is the least value over all shingles;
4. a_k and b_k are the upper halves of numbers 2k and 2k + 1 of `hashing.random_sequence(seed, 2K)`, a_k made odd.

A multiplication by an odd number and an addition are a bijection of the 32-bit numbers, so no two different x ever tie.
Because x is itself a random function of the shingle, each row agrees between two sets with probability equal to their
Jaccard similarity. What the linear form could harm is the independence of rows: measured over sets of 10 to 300,000
shingles, the error of the estimate is 0.94 to 1.02 of sqrt(J * (1 - J) / K), against 0.99 to 1.03 for 64-bit
multiply-shift at twice the cost. Two shingles share x by chance with probability 2**-32, which shifts an estimate by
2e-5 at 100,000 shingles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.kernels.hash_sets import distinct, sorted_set
from lauter.stages.kernels.hashing import GOLDEN, fold, random_sequence
from lauter.stages.kernels.words import FOLD_DIGITS, finish_hash, hash_words, word_hashes

_BLOCK = 4096
"""Shingles per block: 16 KB, so that all permutations of a block read it from the first-level cache."""
_UPPER = np.uint64(32)
_EMPTY = np.uint32(0xFFFFFFFF)


class Permutations(NamedTuple):
    """K permutations x -> multiplier * x + increment mod 2**32, each array of shape (K,)."""

    multiplier: NDArray[np.uint32]
    increment: NDArray[np.uint32]


def permutations(seed: int, count: int) -> Permutations:
    """`count` permutations drawn from `seed`: step 4 of the scheme."""
    upper = (random_sequence(seed, 2 * count) >> _UPPER).astype(np.uint32)
    return Permutations(upper[0::2] | np.uint32(1), upper[1::2].copy())


@kernel
def shingle_hashes(words: NDArray[np.uint64], ngram: int) -> NDArray[np.uint32]:
    """32-bit hashes of all runs of `ngram` words, in order: shape (len(words) - ngram + 1,), step 2 of the scheme.

    `words` has at least `ngram` entries.
    """
    outgoing = np.uint64(1)
    for _ in range(ngram):
        outgoing *= GOLDEN
    hashes = np.empty(words.size - ngram + 1, np.uint32)
    state = np.uint64(0)
    for index in range(words.size):
        state = state * GOLDEN + words[index]
        if index >= ngram:
            state -= outgoing * words[index - ngram]
        if index >= ngram - 1:
            hashes[index - ngram + 1] = np.uint32(finish_hash(state) >> _UPPER)
    return hashes


@kernel
def lower_minima(
    shingles: NDArray[np.uint32],
    multiplier: NDArray[np.uint32],
    increment: NDArray[np.uint32],
    minima: NDArray[np.uint32],
) -> None:
    """Lower `minima`, shape (K,), to the least value of each permutation over `shingles`: step 3 of the scheme."""
    for start in range(0, shingles.size, _BLOCK):
        block = shingles[start : start + _BLOCK]
        for k in range(minima.size):
            # Permutations outside, shingles inside: LLVM keeps one minimum per vector lane in registers. At 226
            # shingles 4.7 ns a shingle for K = 112, against 7.4 the other way round.
            factor, summand, least = multiplier[k], increment[k], minima[k]
            for index in range(block.size):
                least = min(least, np.uint32(factor * block[index] + summand))
            minima[k] = least


@kernel
def shingles_of(
    data: NDArray[np.uint8], start: Integer, end: Integer, flags: int, ngram: int, min_words: int
) -> NDArray[np.uint32]:
    """The hashes of all shingles of the text `data[start:end]`, in order: steps 1 and 2 of the scheme.

    `flags` are those of `words.word_hashes`. Empty for a text with fewer words than `ngram` or `min_words`.
    """
    words, numbers = hash_words(data, start, end, flags)
    if 2 * numbers > words.size:
        words = word_hashes(data, start, end, flags & ~FOLD_DIGITS)
    if words.size < max(ngram, min_words):
        return np.empty(0, np.uint32)
    return shingle_hashes(words, ngram)


@kernel
def signatures(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    flags: int,
    ngram: int,
    min_words: int,
    multiplier: NDArray[np.uint32],
    increment: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """MinHash signatures of n texts, shape (n, K) uint32, and how many different shingles each has, shape (n,).

    Parameters as for `shingles_of`. A text without shingles has no signature; its row is filled with 2**32 - 1.
    """
    count = offsets.size - 1
    minima = np.full((count, multiplier.size), _EMPTY, np.uint32)
    sizes = np.zeros(count, np.uint32)
    for row in range(count):
        shingles = shingles_of(data, offsets[row], offsets[row + 1], flags, ngram, min_words)
        lower_minima(shingles, multiplier, increment, minima[row])
        sizes[row] = distinct(shingles)
    return minima, sizes


@kernel
def shingle_sets(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], flags: int, ngram: int, min_words: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The different shingles of n texts, ascending, one text behind the other, and where each begins, shape (n + 1,).

    Parameters as for `shingles_of`. Memory: two bytes for each byte of text, and what is returned.
    """
    bounds = np.zeros(offsets.size, np.int64)
    # As many as there may be words (`hash_words`).
    shingles = np.empty((offsets[-1] - offsets[0] + offsets.size) // 2, np.uint32)
    for row in range(offsets.size - 1):
        found = sorted_set(shingles_of(data, offsets[row], offsets[row + 1], flags, ngram, min_words))
        bounds[row + 1] = bounds[row] + found.size
        shingles[bounds[row] : bounds[row + 1]] = found
    return shingles[: bounds[-1]].copy(), bounds


@kernel
def band_keys(minima: NDArray[np.uint32], salts: NDArray[np.uint64], bands: int, rows: int) -> NDArray[np.uint64]:
    """LSH keys of n signatures, shape (n, bands): band j folds minima j * rows … (j + 1) * rows - 1.

    The fold begins with `salts[i]`, shape (n,), and the band's number from 1 (0 is left for other kinds of key), so
    that equal minima in different bands, or under different salts, are different keys.
    """
    keys = np.empty((minima.shape[0], bands), np.uint64)
    for row in range(minima.shape[0]):
        for band in range(bands):
            state = fold(salts[row], np.uint64(band + 1))
            for k in range(band * rows, (band + 1) * rows):
                state = fold(state, np.uint64(minima[row, k]))
            keys[row, band] = state
    return keys
