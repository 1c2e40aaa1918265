"""Boosted decision trees, asked: each of a number of full binary trees adds an integer to a score.

Scores are log-odds times `UNIT`, as integers, so that sums do not depend on order and the same page gets the same
answer on every machine. The form is that of Friedman, "Greedy function approximation" (Annals of Statistics 29, 2001).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

UNIT = 4096
"""A score of this is a log-odds of 1."""


class Trees(NamedTuple):
    """`t` trees of `d` levels: an item goes right at a node where its feature is above the node's limit."""

    feature: NDArray[np.int16]
    """(t, 2**d - 1), the children of node n are 2n + 1 and 2n + 2; -1 sends every item left."""
    limit: NDArray[np.float32]
    """(t, 2**d - 1)."""
    leaf: NDArray[np.int32]
    """(t, 2**d), in units of 1 / UNIT."""
    base: NDArray[np.int32]
    """(1,), what every score begins with."""


def scores(trees: Trees, features: NDArray[np.float32]) -> NDArray[np.int32]:
    """The score of each row of (items, features)."""
    return _scores(features, trees.feature, trees.limit, trees.leaf, int(trees.base[0]))


@kernel
def _scores(
    features: NDArray[np.float32],
    feature: NDArray[np.int16],
    limit: NDArray[np.float32],
    leaf: NDArray[np.int32],
    base: int,
) -> NDArray[np.int32]:
    found = np.full(len(features), base, np.int32)
    inner = feature.shape[1]
    # Tree by tree: one tree stays in the nearest cache while all items pass it.
    for tree in range(len(feature)):
        for item in range(len(features)):
            node = 0
            while node < inner:
                asked = feature[tree, node]
                right = asked >= 0 and features[item, asked] > limit[tree, node]
                node = 2 * node + 1 + right
            found[item] += leaf[tree, node - inner]
    return found
