"""Sketches of 112 bytes from which the Jaccard similarity of two texts is estimated: b-bit MinHash with b = 8.

P. Li and A. C. König, b-Bit Minwise Hashing, WWW 2010: of each of K minima only the lowest b bits are kept. Two sets of
similarity J then agree in one of them with probability P = C + (1 - C) * J (theorem 1, equations 4 and 5); C is the
chance that different minima have the same b bits, which is 2**-b as long as a set holds a vanishing part of all
possible hashes (the limit of their A and C for r -> 0; here r is the number of shingles over 2**32). So

    estimate = (matches / K - C) / (1 - C)        standard error = sqrt(P * (1 - P) / K) / (1 - C)        (theorem 2)

With K = 112 and b = 8 the error is 0.0379 at J = 0.8, against 0.0378 of the whole minima, which take 448 or 896 bytes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.comparing import NO, OPEN, YES
from lauter.pipeline.kernel import kernel

SKETCH_BYTES = 112
"""K: permutations that a sketch holds, FineWeb's 14 * 8, whatever number of them the bands need."""
CHANCE = 1 / 256
"""C = 2**-8."""
DEVIATIONS = 3
"""Standard errors from the threshold at which a sketch alone decides: right for 998 to 999 of 1,000 pairs there."""


def sketches(minima: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Sketches of n texts, shape (n, 112), from their minima, shape (n, 112 or more); zeros where the size is 0."""
    kept = minima[:, :SKETCH_BYTES].astype(np.uint8)
    kept[sizes == 0] = 0
    return kept


def estimate(matches: int) -> float:
    """The Jaccard similarity of two texts whose sketches agree in so many bytes; a little below 0 for none."""
    return (matches / SKETCH_BYTES - CHANCE) / (1 - CHANCE)


def standard_error(similarity: float) -> float:
    """Of `estimate`, for two texts of a Jaccard similarity."""
    agree = CHANCE + (1 - CHANCE) * similarity
    return math.sqrt(agree * (1 - agree) / SKETCH_BYTES) / (1 - CHANCE)


def doubtful(threshold: float) -> tuple[int, int]:
    """Least and most matches whose estimate is within three standard errors (at the threshold) of the threshold.

    78 and 102 of 112 at 0.8. Most may be 112: then a sketch never says yes.
    """
    reach = DEVIATIONS * standard_error(threshold)
    within = [m for m in range(SKETCH_BYTES + 1) if threshold - reach <= estimate(m) <= threshold + reach]
    return within[0], within[-1]


def judge_sketches(
    left_sizes: NDArray[np.uint32],
    left: NDArray[np.uint8],
    right_sizes: NDArray[np.uint32],
    right: NDArray[np.uint8],
    threshold: float,
) -> NDArray[np.uint8]:
    """`NO`, `YES` or `OPEN` for each of p pairs of texts, shape (p,).

    Sizes, shape (p,), are numbers of different shingles; sketches have shape (p, 112). Two sets can't be more similar
    than the smaller is large beside the larger, so a pair whose sizes differ that much is told apart whatever its
    sketches are. A text of size 0 is similar to nothing.
    """
    least, most = doubtful(threshold)
    matches = agreeing(left, right)
    smaller = np.minimum(left_sizes, right_sizes)
    bound = smaller / np.maximum(np.maximum(left_sizes, right_sizes), 1)
    verdict = np.full(matches.size, OPEN, np.uint8)
    verdict[matches > most] = YES
    verdict[(matches < least) | (bound < threshold) | (smaller == 0)] = NO
    return verdict


@kernel
def agreeing(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In how many bytes each of p pairs of sketches agrees, shape (p,)."""
    matches = np.empty(left.shape[0], np.uint8)
    for pair in range(matches.size):
        count = np.uint8(0)
        for place in range(SKETCH_BYTES):
            count += np.uint8(left[pair, place] == right[pair, place])
        matches[pair] = count
    return matches
