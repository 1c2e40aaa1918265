"""A mixture as a fixed, periodic sequence of streams, so that any sample's stream and place follow from its number.

Weights become whole counts in a period of `PERIOD` samples. Within the period the streams are spread by Tijdeman's
algorithm (The chairman assignment problem, Discrete Mathematics 32, 1980): after any number of samples, each stream's
count differs from its share by less than 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

PERIOD = 1 << 16
"""Samples. The tables take 6 bytes a sample; a stream can weigh as little as 1/65,536 of a stage."""


def counts_in_period(weights: Sequence[float]) -> list[int]:
    """Whole counts that sum up to `PERIOD`, by largest remainders: each is within 1 of its share.

    A stream whose share is below 1 still gets 1, at the cost of the largest.

    >>> counts_in_period([3, 1])
    [49152, 16384]
    """
    total = sum(weights)
    shares = [weight / total * PERIOD for weight in weights]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: (counts[index] - shares[index], index))
    for index in by_remainder[: PERIOD - sum(counts)]:
        counts[index] += 1
    for index, count in enumerate(counts):
        if not count:
            counts[counts.index(max(counts))] -= 1
            counts[index] = 1
    return counts


class Interleave:
    """Which stream each sample of a stage comes from; streams are numbered as in `counts`."""

    def __init__(self, counts: Sequence[int]) -> None:
        """`counts` of each stream in a period, none of them 0, `PERIOD` together."""
        self.counts = np.array(counts, np.int64)
        self._stream = np.empty(PERIOD, np.int32)
        self._before = np.empty(PERIOD, np.int32)
        _assign(self.counts, self._stream, self._before)

    def place(self, sample: int) -> tuple[int, int]:
        """The stream of a sample of the stage, and how many samples before it came from the same stream."""
        periods, within = divmod(sample, PERIOD)
        stream = int(self._stream[within])
        return stream, periods * int(self.counts[stream]) + int(self._before[within])

    def counts_before(self, sample: int) -> NDArray[np.int64]:
        """How many samples of each stream come before a sample of the stage, shape (streams,)."""
        periods, within = divmod(sample, PERIOD)
        found: NDArray[np.int64] = (
            np.bincount(self._stream[:within], minlength=len(self.counts)) + periods * self.counts
        )
        return found


@kernel
def _assign(counts: NDArray[np.int64], stream: NDArray[np.int32], before: NDArray[np.int32]) -> None:
    # All of it in whole numbers: `lag` is Tijdeman's sigma times the period, `steps` his 2k - 2.
    period = stream.size
    steps = max(2 * counts.size - 2, 1)
    given = np.zeros(counts.size, np.int64)
    for place in range(period):
        best = -1
        best_slack = 0
        for index in range(counts.size):
            lag = counts[index] * (place + 1) - period * given[index]
            if lag * steps < period:
                continue
            slack = period * (steps - 1) - lag * steps
            # slack / count is least: fractions are compared by their cross products.
            if best < 0 or slack * counts[best] < best_slack * counts[index]:
                best = index
                best_slack = slack
        stream[place] = best
        before[place] = given[best]
        given[best] += 1
