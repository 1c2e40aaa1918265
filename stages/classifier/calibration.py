"""Probabilities from logits, fitted on texts that were not trained on; results are rounded to whole 1,024ths.

The last bits of an exponential are the machine's; rounded, the numbers are the same on all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 100
_UNIT = 1024


def fit_platt(
    logits: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and offset, so that the logistic function of slope * logit + offset is the probability of a positive.

    The targets are those of J. Platt (Probabilistic Outputs for Support Vector Machines, 1999, section 2.2), which keep
    classes that are wholly apart from probabilities of 0 and 1; found by Newton's method.

    Args:
        logits: Shape (n,).
        positive: Shape (n,).
        weights: Shape (n,): how much each text counts. A class's weight is its share of what the probabilities are of.

    Raises:
        ValueError: One of the classes has no weight.
    """
    of_positive, of_negative = float(weights[positive].sum()), float(weights[~positive].sum())
    if not of_positive or not of_negative:
        raise ValueError("a calibration needs texts of both classes")
    target = np.where(positive, (of_positive + 1) / (of_positive + 2), 1 / (of_negative + 2))
    x = np.stack([np.asarray(logits, np.float64), np.ones(len(logits))])
    found = np.zeros(2)
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(found @ x, -500, 500)))
        slope = x @ (weights * (p - target))
        curve = (x * (weights * p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        found -= np.clip(step, -10, 10)
        if np.abs(step).max() < 1e-9:
            break
    return _rounded(found[0]), _rounded(found[1])


def fit_offset(logits: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """The offset alone, for logits that have their slope already: the mean probability becomes the share of positives.

    Raises:
        ValueError: One of the classes has no weight.
    """
    of_positive, of_negative = float(weights[positive].sum()), float(weights[~positive].sum())
    if not of_positive or not of_negative:
        raise ValueError("a calibration needs texts of both classes")
    low, high = -64.0, 64.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = float((weights / (1 + np.exp(-np.clip(logits + middle, -500, 500)))).sum())
        low, high = (middle, high) if mean < of_positive else (low, middle)
    return _rounded((low + high) / 2)


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """What logits of shape (n, k) are divided by before a softmax, so that it gives probabilities (Guo et al. 2017).

    Raises:
        ValueError: There is no text.
    """
    if not len(logits):
        raise ValueError("a calibration needs texts")
    low, high = np.log(1 / 64), np.log(64)
    golden = (np.sqrt(5) - 1) / 2  # golden-section search; the loss has one minimum in 1 / temperature
    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(logits, labels, left) < _loss(logits, labels, right):
            high = right
        else:
            low = left
    return _rounded(np.exp((low + high) / 2))


def _loss(logits: NDArray[np.float64], labels: NDArray[np.int64], log_temperature: float) -> float:
    scaled = logits / np.exp(log_temperature)
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    of_label = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(axis=1)) - of_label).mean())


def _rounded(value: float) -> float:
    return round(float(value) * _UNIT) / _UNIT
