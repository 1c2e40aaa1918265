"""Sets of 32-bit hashes: sorted lists without repetition, and how similar two of them are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

_DIGIT = np.uint32(0xFF)
_DIGITS = 4
_VALUES = 256


@kernel
def sorted_set(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The different values of `hashes` in ascending order.

    A radix sort, least digit first (Knuth, The Art of Computer Programming 3, section 5.2.5): four passes of eight
    bits. Its time does not depend on the values, which come from texts that somebody may have made to be slow.
    """
    starts = np.zeros((_DIGITS, _VALUES), np.int64)
    for value in hashes:
        for digit in range(_DIGITS):
            starts[digit, (value >> np.uint32(8 * digit)) & _DIGIT] += 1
    source, target = hashes.copy(), np.empty_like(hashes)
    for digit in range(_DIGITS):
        total = 0
        for place in range(_VALUES):
            count = starts[digit, place]
            starts[digit, place] = total
            total += count
        for value in source:
            place = (value >> np.uint32(8 * digit)) & _DIGIT
            target[starts[digit, place]] = value
            starts[digit, place] += 1
        source, target = target, source
    size = 0
    for value in source:
        # Without branches: a value that repeats the one before is overwritten.
        target[size] = value
        size += size == 0 or target[size - 1] != value
    return target[:size]


@kernel
def similar(
    left: NDArray[np.uint32],
    left_offsets: NDArray[np.int64],
    right: NDArray[np.uint32],
    right_offsets: NDArray[np.int64],
    threshold: float,
) -> NDArray[np.bool_]:
    """Whether the Jaccard similarity of each of p pairs of sets is at least `threshold`, shape (p,).

    Set i of a side is `side[offsets[i]:offsets[i + 1]]`, as `sorted_set` makes it. |A & B| / |A | B| is one division of
    two exact numbers, rounded to nearest, so a similarity of four fifths is at least 0.8. An empty set is similar to
    nothing.
    """
    found = np.zeros(left_offsets.size - 1, np.bool_)
    for pair in range(found.size):
        one, one_end = left_offsets[pair], left_offsets[pair + 1]
        two, two_end = right_offsets[pair], right_offsets[pair + 1]
        total = (one_end - one) + (two_end - two)
        shared = 0
        while one < one_end and two < two_end:
            first, second = left[one], right[two]
            # Both comparisons as numbers: which is less is a coin toss, and a branch would be guessed wrong half the
            # time.
            shared += first == second
            one += first <= second
            two += second <= first
        found[pair] = shared > 0 and shared / (total - shared) >= threshold
    return found
