"""Sets of 32-bit hashes: sorted lists without repetition, and how similar two of them are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

_DIGIT = np.uint32(0xFF)
_DIGITS = 4
_VALUES = 256
_LONGEST_SEARCH = 100
"""Steps in a table that is at most a quarter full: random values take k with a chance below (e**0.75 / 4)**k, which is
0.53**k (the tail of a Poisson sum), so 1e-27."""


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
def distinct(hashes: NDArray[np.uint32]) -> int:
    """How many different values there are: the size of `sorted_set`, in a third of its time.

    A table with open addressing (Knuth 3, section 6.4), at most a quarter full. Hashes that somebody has made to fall
    on one place are sorted instead.
    """
    room = 4
    while room < 4 * hashes.size:
        room *= 2
    table = np.zeros(room, np.uint32)
    mask = np.uint32(room - 1)
    count, has_zero = 0, False
    for value in hashes:
        if value == 0:
            # It would look like an empty place.
            has_zero = True
            continue
        place = value & mask
        steps = 0
        while table[place] != 0 and table[place] != value:
            place = (place + np.uint32(1)) & mask
            steps += 1
            if steps > _LONGEST_SEARCH:
                return sorted_set(hashes).size
        count += table[place] == 0
        table[place] = value
    return count + has_zero


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
