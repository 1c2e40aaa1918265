"""The second stage of training: weights of the classifier's logit and the tone, by logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_UNIT = 65_536
"""Weights are rounded to whole parts of one: the last bits of a sum of products are the machine's."""
_LEAST = 1e-3
_ROUNDS = 50


def fit_weights(
    columns: Sequence[NDArray[np.float64]],
    positive: NDArray[np.bool_],
    weights: NDArray[np.float64],
    penalty: float,
) -> tuple[float, ...]:
    """The weight of each column; the constant is left to the calibration.

    Newton's method on the mean loss and `penalty` / 2 times the sum of squares, for columns at mean 0 and deviation 1
    (T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning, section 4.4).

    Args:
        columns: Each of shape (n,).
        positive: Shape (n,).
        weights: Shape (n,): how much each text counts.
        penalty: Above 0.
    """
    used = weights > 0
    table = np.stack([column[used] for column in columns], axis=1)
    share = weights[used] / weights[used].sum()
    middle = share @ table
    deviation = np.sqrt(share @ (table - middle) ** 2)
    deviation = np.where(deviation > _LEAST, deviation, np.inf)  # what hardly varies would weigh without bound
    table = np.hstack([(table - middle) / deviation, np.ones((len(table), 1))])
    target = positive[used].astype(np.float64)
    ridge = np.full(table.shape[1], penalty)
    ridge[-1] = 1e-9
    found = np.zeros(table.shape[1])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(table @ found, -500, 500)))
        slope = table.T @ (share * (chance - target)) + ridge * found
        curve = (table.T * (share * chance * (1 - chance))) @ table + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < 1e-10:
            break
    return tuple(float(value) for value in np.rint(found[:-1] / deviation * _UNIT) / _UNIT)
