"""Scores of answers against gold labels: accuracy, macro-averaged F1, false-positive rate, calibration, confusions.

Labels are places in a list. An answer of -1 is none: it is wrong for its text, and a false positive of no label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Equal bins of probability for the calibration error (C. Guo et al. 2017, arXiv:1706.04599, section 2: M = 15)."""


class Tally(NamedTuple):
    """Counts by label, each of shape (labels,), int64."""

    texts: NDArray[np.int64]
    """Texts that have the label."""
    right: NDArray[np.int64]
    """Of these, the ones whose answer it is."""
    wrong: NDArray[np.int64]
    """Texts of other labels whose answer it is."""

    def precision(self) -> NDArray[np.float64]:
        """Share of the answers with the label that are right; 0 where there is none."""
        return _ratio(self.right, self.right + self.wrong)

    def recall(self) -> NDArray[np.float64]:
        """Share of the texts with the label that are answered so; 0 where there is none."""
        return _ratio(self.right, self.texts)

    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, 2 right / (2 right + wrong + missed)."""
        return _ratio(2 * self.right, self.texts + self.right + self.wrong)

    def false_positive_rate(self) -> NDArray[np.float64]:
        """Share of the texts of other labels that are answered with the label."""
        return _ratio(self.wrong, self.texts.sum() - self.texts)


class Scores(NamedTuple):
    """Scores over some labels: shares between 0 and 1, averages over the labels that have a text."""

    texts: int
    labels: int
    accuracy: float
    macro_f1: float
    macro_precision: float
    macro_recall: float
    false_positive_rate: float
    """Averaged over the labels, as the GlotLID and OpenLID papers have it (arXiv:2310.16248, arXiv:2305.13820)."""


class Bin(NamedTuple):
    """Answers whose probability lies between `low` (included but for 0) and `high`."""

    low: float
    high: float
    texts: int
    probability: float
    """Mean of their probabilities."""
    accuracy: float
    """Share of them that are right."""


def tally(gold: NDArray[np.int32], answers: NDArray[np.int32], labels: int) -> Tally:
    """Count by label. Both arrays have shape (texts,); answers may be -1."""
    is_right = gold == answers
    return Tally(
        np.bincount(gold, minlength=labels),
        np.bincount(gold[is_right], minlength=labels),
        np.bincount(answers[~is_right & (answers >= 0)], minlength=labels),
    )


def summarise(found: Tally, among: NDArray[np.bool_] | None = None) -> Scores:
    """Scores over the labels that have a text, or over those of them that are `among`, shape (labels,).

    Answers are counted over all texts, so a label's false positives may come from texts of labels that are not among.
    """
    chosen = found.texts > 0
    if among is not None:
        chosen = chosen & among
    texts, labels = int(found.texts[chosen].sum()), int(chosen.sum())
    if not labels:
        return Scores(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return Scores(
        texts,
        labels,
        float(found.right[chosen].sum() / texts),
        float(found.f1()[chosen].mean()),
        float(found.precision()[chosen].mean()),
        float(found.recall()[chosen].mean()),
        float(found.false_positive_rate()[chosen].mean()),
    )


def reliability(is_right: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> list[Bin]:
    """How often answers of each probability are right, in `BINS` equal bins; empty ones are left out."""
    places = np.clip(np.ceil(probabilities * BINS).astype(np.int64) - 1, 0, BINS - 1)
    texts = np.bincount(places, minlength=BINS)
    means = _ratio(np.bincount(places, probabilities, BINS), texts)
    right = _ratio(np.bincount(places, is_right, BINS), texts)
    return [
        Bin(place / BINS, (place + 1) / BINS, int(texts[place]), float(means[place]), float(right[place]))
        for place in np.nonzero(texts)[0]
    ]


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error (arXiv:1706.04599): |accuracy - mean probability| of bins, weighted by their texts."""
    texts = sum(found.texts for found in bins)
    return sum(found.texts * abs(found.accuracy - found.probability) for found in bins) / texts if texts else 0.0


def confusions(
    gold: NDArray[np.int32], answers: NDArray[np.int32], labels: int, most: int
) -> list[tuple[int, int, int]]:
    """Pairs of gold label and wrong answer with their texts, most frequent first, then by place; `most` of them."""
    wrong = (gold != answers) & (answers >= 0)
    pairs, texts = np.unique(gold[wrong].astype(np.int64) * labels + answers[wrong], return_counts=True)
    order = np.lexsort((pairs, -texts))[:most]
    return [(int(pairs[i]) // labels, int(pairs[i]) % labels, int(texts[i])) for i in order]


def _ratio(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    found = np.zeros(len(whole))
    np.divide(part, whole, out=found, where=whole != 0)
    return found
