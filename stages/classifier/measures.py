"""How well scores tell two classes apart: area under the ROC curve, F1, and the error of calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def area(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often a positive has a higher score than a negative, equal ones by half.

    By ranks (J. Hanley, B. McNeil, Radiology 143, 1982). NaN where one of the classes has no text.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return float((middle[place][positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def f1(chosen: NDArray[np.bool_], positive: NDArray[np.bool_]) -> float:
    """The harmonic mean of precision and recall of what was chosen; 0 where nothing is right."""
    right = int((chosen & positive).sum())
    return 2 * right / max(int(chosen.sum()) + int(positive.sum()), 1)


def best_f1(scores: NDArray[Any], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """The highest F1 that any threshold gives, and the threshold: chosen is what has it or more."""
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(positive[order])
    value = 2 * right / (np.arange(1, len(order) + 1) + max(int(positive.sum()), 1))
    # A threshold lies between two different scores.
    value[:-1][scores[order][:-1] == scores[order][1:]] = -1
    best = int(np.argmax(value))
    return float(value[best]), float(scores[order[best]])


def calibration_error(
    probabilities: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64], bins: int = 15
) -> float:
    """Expected calibration error over equal bins of probability (C. Guo et al., arXiv:1706.04599, section 2)."""
    which = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    apart = np.bincount(which, weights * (probabilities - positive), bins)
    return float(np.abs(apart).sum() / weights.sum())


def figures(probability: NDArray[np.float64], positive: NDArray[np.bool_]) -> Mapping[str, float | int]:
    """What a card says of calibrated probabilities: counts, AUC, best F1 and its threshold, and the calibration error.

    Args:
        probability: Shape (n,), n > 0.
        positive: Shape (n,), with both classes.
    """
    f1_of_best, threshold = best_f1(probability, positive)
    return {
        "texts": len(positive),
        "positives": int(positive.sum()),
        "AUC": round(area(probability, positive), 4),
        "F1": round(f1_of_best, 4),
        "threshold": round(threshold, 4),
        "ECE": round(calibration_error(probability, positive, np.ones(len(positive))), 4),
    }
