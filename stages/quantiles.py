"""Thresholds that keep a share of each language, from whole numbers alone: top-p selection and percentiles.

A soft stage counts each document's language and score (`counted`, for `surveying.SurveyingStage.occurrences`), the
engine sums the counts of the whole run, and the stage asks the sums where a share ends (`populations`, `least_kept`,
`most_kept`). Apertus and FineWeb2-HQ keep the best 33 % or 10 % of each language by quality (arXiv:2502.10361), and
Apertus all but the most toxic 5 %, from a sample of a million documents in numpy; here it is every document and no
float, so that a threshold is the same in any order of the parts.

Population: the documents of the run that passed the hard decisions and have a score, copies among them, whatever other
soft stages say of them. Ties: all documents with the score at which the share ends are kept, so that no order of
documents decides; at least the share is kept, and more by as many as tie with the last one.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from lauter.pipeline.histograms import Histogram, by_key, numbers_of

BINS = 1 << 16
"""Scores are uint16, and each value is a bin of its own."""
GROUPS = 1 << 8
"""Populations of one language that are counted apart, such as those of several heads."""

_LABEL_BITS = 40
"""Of a label's hash: a stage is asked only for labels that it saw, so two of 2,000 meet with a chance of 2e-6."""


def key_of(label: str | None, group: int = 0) -> int:
    """The key of a language's population, below 2**48; documents without a language are one of their own.

    Args:
        label: As it stands in the column of languages.
        group: 0 to 255, for a stage that has several scores.
    """
    return (group << _LABEL_BITS) | (xxhash.xxh3_64_intdigest((label or "").encode()) >> (64 - _LABEL_BITS))


def counted(language: pa.Array, score: pa.Array, group: int = 0) -> NDArray[np.uint64]:
    """One number for each document that has a score: its population and its score.

    Args:
        language: Labels, shape (n,), strings or a dictionary of them.
        score: uint16, shape (n,).
        group: As in `key_of`.
    """
    labels = language.cast(pa.string()).fill_null("").dictionary_encode()
    keys = np.array([key_of(label, group) for label in labels.dictionary.to_pylist()] or [0], np.uint64)
    rows = score.is_valid().to_numpy(zero_copy_only=False)
    key = keys[labels.indices.to_numpy()[rows]]
    return numbers_of(key, score.fill_null(0).to_numpy()[rows], BINS)


def populations(number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> dict[int, Histogram]:
    """The scores of each population (`key_of`), from what `SurveyingStage.surveyed` is told."""
    return by_key(number, documents, BINS)


def least_kept(scores: Histogram, share: float) -> int:
    """The lowest score that is kept where the highest are the best: of n documents ceil(share * n) have it or more.

    Raises:
        ValueError: The share is not above 0 and at most 1.
    """
    return int(scores.values[::-1][_last(scores.counts[::-1], share)])


def most_kept(scores: Histogram, share: float) -> int:
    """The highest score that is kept where the lowest are the best: of n documents ceil(share * n) have it or less.

    Raises:
        ValueError: The share is not above 0 and at most 1.
    """
    return int(scores.values[_last(scores.counts, share)])


def _last(counts: NDArray[np.int64], share: float) -> int:
    """The place of the last value that is kept, counts in order from the best."""
    if not 0 < share <= 1:
        raise ValueError(f"a share is above 0 and at most 1, not {share}")
    # 0.33 as it is written and not as the nearest double: 0.07 * 100 is above 7 in floats, and would keep an eighth.
    wanted = ceil(Fraction(str(share)) * int(counts.sum()))
    return int(np.searchsorted(np.cumsum(counts), wanted))
