"""Integer histograms by key, as a survey counts them: a key and a bin make one number (`surveying.SurveyingStage`).

Statistics are those of the bins' own values, so they are exact where a score is counted as it is stored. All counts
are whole numbers, and whatever is derived from them is the same in any order.
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Histogram(NamedTuple):
    """The documents of one key that have each value: values ascend, and every count is at least 1."""

    values: NDArray[np.int64]
    """Shape (m,), m > 0: bins."""
    counts: NDArray[np.int64]
    """Shape (m,): documents."""

    @property
    def documents(self) -> int:
        """All documents of the key."""
        return int(self.counts.sum())


def numbers_of(key: NDArray[np.uint64], value: NDArray[np.integer], bins: int) -> NDArray[np.uint64]:
    """The number of a key and a bin: key * bins + bin. Shapes (n,); 0 <= value < bins, and key < 2**64 / bins."""
    numbers: NDArray[np.uint64] = key * np.uint64(bins) + value.astype(np.uint64)
    return numbers


def by_key(number: NDArray[np.uint64], documents: NDArray[np.uint64], bins: int) -> dict[int, Histogram]:
    """The histograms of all keys, from what a survey left: numbers in order, and the documents of each."""
    keys, first = np.unique(number // np.uint64(bins), return_index=True)
    values = (number % np.uint64(bins)).astype(np.int64)
    ends = np.append(first, len(number))[1:].tolist()
    return {
        key: Histogram(values[start:end], documents[start:end].astype(np.int64))
        for key, start, end in zip(keys.tolist(), first.tolist(), ends, strict=True)
    }


def median(histogram: Histogram) -> float:
    """The median: for an even number of documents the mean of the two in the middle."""
    below = np.cumsum(histogram.counts)
    half = histogram.documents
    # Of n documents in order, from 0: (n - 1) // 2 and n // 2, which are one document where n is odd.
    low, high = np.searchsorted(below, [(half - 1) // 2, half // 2], side="right").tolist()
    return (int(histogram.values[low]) + int(histogram.values[high])) / 2


def deviation(histogram: Histogram) -> float:
    """The population's standard deviation, from sums of whole numbers, cut at a 1,024th of a bin.

    Sums of floats would differ with their order, and the square root with the machine's library.
    """
    values, counts = histogram.values.tolist(), histogram.counts.tolist()
    documents = histogram.documents
    total = sum(value * count for value, count in zip(values, counts, strict=True))
    squares = sum(value * value * count for value, count in zip(values, counts, strict=True))
    # n**2 times the variance, and the fraction is cut once.
    return isqrt(((documents * squares - total * total) << 20) // (documents * documents)) / 1024
