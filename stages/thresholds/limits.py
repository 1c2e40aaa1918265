"""From how scores are distributed in a language to where its threshold lies.

FineWeb-2 (arXiv:2506.20920) compares five ways to carry a threshold that was set on English to another language: the
same value, and the four here. Which one it took for which filter is not published with the values.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline import histograms
from lauter.pipeline.histograms import Histogram
from lauter.stages.thresholds.histograms import STEP

Method = Literal["quantile", "mean-std", "median-ratio", "tail"]
"""
* `quantile`: the rule drops the share of documents that the published threshold drops in English.
* `mean-std`: as many standard deviations from the mean as the published threshold lies from English's.
* `median-ratio`: the published threshold times the ratio of the medians.
* `tail`: the rule drops a fixed share, whatever English does.
"""
METHODS: tuple[Method, ...] = ("quantile", "mean-std", "median-ratio", "tail")
TAIL = 0.1
"""FineWeb-2's share ("10Tail")."""
LEAST_SCORE, MOST_SCORE = 0.3, 0.9
"""Bounds of a language score's threshold (FineWeb-2)."""


def median(counts: NDArray[np.int64]) -> float:
    """The median in units of a score (the middle of its bin; of an even number the mean of the two in the middle)."""
    return histograms.median(_sparse(counts)) * STEP


def mean_and_deviation(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of the population, in units of a score, from sums of whole numbers."""
    total = sum(place * count for place, count in enumerate(counts.tolist()))
    return total / int(counts.sum()) * STEP, histograms.deviation(_sparse(counts)) * STEP


def _sparse(counts: NDArray[np.int64]) -> Histogram:
    values = np.flatnonzero(counts)
    return Histogram(values, counts[values])


def language_score(counts: NDArray[np.int64]) -> float:
    """FineWeb-2's threshold of a language score: median less standard deviation, from 0.3 to 0.9; three places."""
    value = (median(counts) - mean_and_deviation(counts)[1]) / 10_000
    return round(min(max(value, LEAST_SCORE), MOST_SCORE), 3)


def beyond(counts: NDArray[np.int64], limit: float, bound: Literal["min", "max"]) -> float:
    """Share of documents whose score, in its units, lies below (`min`) or above (`max`) a limit."""
    values = np.arange(len(counts)) * STEP
    dropped = counts[values < limit if bound == "min" else values > limit]
    return float(int(dropped.sum()) / int(counts.sum()))


def quantile(counts: NDArray[np.int64], share: float, bound: Literal["min", "max"]) -> float:
    """The limit nearest to the middle beyond which at most a share of the documents lies, in units of the score."""
    documents = counts if bound == "min" else counts[::-1]
    allowed = share * int(counts.sum())
    place = int(np.searchsorted(np.cumsum(documents), allowed, side="right"))
    place = min(place, len(counts) - 1)
    return float((place if bound == "min" else len(counts) - 1 - place) * STEP)


def limit(
    method: Method,
    bound: Literal["min", "max"],
    counts: NDArray[np.int64],
    english: NDArray[np.int64] | None,
    published: float,
    tail: float = TAIL,
) -> float:
    """A threshold in units of the score.

    Args:
        method: How it is found.
        bound: Whether documents below or above it are dropped.
        counts: The language's documents by bin.
        english: English documents by bin; only `tail` does without.
        published: The threshold that was set on English, in units of the score.
        tail: Share that `tail` drops.

    Raises:
        ValueError: There are no English documents for a method that compares with English.
    """
    if method == "tail":
        return quantile(counts, tail, bound)
    if english is None:
        raise ValueError(f"the method {method} compares with English, and there are no English documents (eng_Latn)")
    if method == "quantile":
        return quantile(counts, beyond(english, published, bound), bound)
    if method == "median-ratio":
        middle = median(english)
        return published if middle == 0 else published * median(counts) / middle
    mean, deviation = mean_and_deviation(english)
    own_mean, own_deviation = mean_and_deviation(counts)
    far = 0.0 if deviation == 0 else (published - mean) / deviation
    return max(0.0, own_mean + far * own_deviation)
