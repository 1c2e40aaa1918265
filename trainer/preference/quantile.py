"""Quantile rewards: how good a completion is among those that the reference model gives to the same prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def quantile_rewards(rewards: Sequence[float], references: Sequence[float]) -> NDArray[np.float64]:
    """Share of the reference completions whose reward is not above that of each completion: shape (len(rewards),).

    R_q(x, y) = (1/n) sum over i of 1[r(x, y_i) <= r(x, y)], the y_i drawn from the reference model (QRPO, arXiv
    2507.08068). Of a completion that the reference model draws it is uniform from 0 to 1, up to 1/n and ties, whatever
    the scale of the rewards: so the loss knows its partition function.

    Raises:
        ValueError: there is no reference, or a reward is no finite number.

    >>> quantile_rewards([0.5, 2.0, -1.0], [0.1, 0.5, 0.9, 1.3]).tolist()
    [0.5, 1.0, 0.0]
    """
    here, among = np.asarray(rewards, np.float64), np.sort(np.asarray(references, np.float64))
    if not len(among):
        raise ValueError("a quantile reward needs at least one reference completion")
    if not (np.isfinite(here).all() and np.isfinite(among).all()):
        raise ValueError("a reward is not finite; what gives the rewards must give a number for every completion")
    return np.searchsorted(among, here, "right") / len(among)
