"""Boosted decision trees, grown: each takes a step against the gradient of the weighted logistic loss.

Splits are chosen by second-order gain over histograms of at most 64 values a feature, as in Chen and Guestrin,
"XGBoost" (KDD 2016), equation 7. Gradients are integers (2**-20), so sums are exact in any order; a tree sees half of
the features, by a counter-based choice. The same examples give the same trees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.blocks.trees import UNIT, Trees

_VALUES = 64
_FINE = 1 << 20
_SAMPLE = 40_000
"""Limits between values are chosen on about so many items, evenly spread."""


class Recipe(NamedTuple):
    """Every number that decides."""

    trees: int
    depth: int = 5
    rate: float = 0.15
    """What share of its best step a tree takes."""
    ridge: float = 2.0
    """Added to the second derivatives of a leaf: lambda in the paper."""
    least: float = 1.0
    """A leaf has at least this sum of second derivatives: min_child_weight."""
    share: float = 0.5
    """Of the features that a tree may ask."""
    seed: int = 1


def grow(
    features: NDArray[np.float32], wanted: NDArray[np.bool_], weight: NDArray[np.float64], recipe: Recipe
) -> Trees:
    """Trees for (items, features) with labels and weights (items,). Needs items of both labels."""
    limits = _limits(features)
    values = np.empty(features.shape, np.uint8)
    for column, each in enumerate(limits):
        values[:, column] = np.searchsorted(each, features[:, column], side="left")
    weight = weight / weight.mean()
    share = float(weight[wanted].sum() / weight.sum())
    base = round(float(np.log(share / (1 - share))) * UNIT)
    score = np.full(len(features), base, np.int64)
    nodes, leaves = 2**recipe.depth - 1, 2**recipe.depth
    grown = Trees(
        np.full((recipe.trees, nodes), -1, np.int16),
        np.zeros((recipe.trees, nodes), np.float32),
        np.zeros((recipe.trees, leaves), np.int32),
        np.array([base], np.int32),
    )
    choice = np.random.Generator(np.random.Philox(recipe.seed))
    asked_count = max(1, int(features.shape[1] * recipe.share))
    for tree in range(recipe.trees):
        likely = 1 / (1 + np.exp(-score / UNIT))
        first = np.rint((wanted - likely) * weight * _FINE).astype(np.int64)
        second = np.rint(np.maximum(likely * (1 - likely), 1e-4) * weight * _FINE).astype(np.int64)
        asked = np.sort(choice.permutation(features.shape[1])[:asked_count])
        node = np.zeros(len(features), np.int32)
        for level in range(recipe.depth):
            sums = _histograms(values, node, first, second, asked, 1 << level)
            feature, value = _best_splits(sums, asked, recipe.ridge * _FINE, recipe.least * _FINE)
            for index in range(1 << level):
                if feature[index] >= 0:
                    place = (1 << level) - 1 + index
                    grown.feature[tree, place] = feature[index]
                    grown.limit[tree, place] = limits[feature[index]][value[index]]
            _descend(values, node, feature, value)
        gradient, curvature = _leaf_sums(node, first, second, leaves)
        step = recipe.rate * gradient / (curvature + recipe.ridge * _FINE)
        grown.leaf[tree] = np.rint(step * UNIT).astype(np.int32)
        score += grown.leaf[tree][node]
    return grown


def _limits(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    limits = []
    for column in range(features.shape[1]):
        values = np.sort(features[:: max(1, len(features) // _SAMPLE), column])
        distinct = np.unique(values)
        if len(distinct) <= _VALUES:
            middles = (distinct[1:].astype(np.float64) + distinct[:-1]) / 2
            limits.append(np.unique(middles.astype(np.float32)))
        else:
            limits.append(np.unique(values[np.arange(1, _VALUES) * len(values) // _VALUES]))
    return limits


@kernel
def _histograms(
    values: NDArray[np.uint8],
    node: NDArray[np.int32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    asked: NDArray[np.int64],
    nodes: int,
) -> NDArray[np.int64]:
    sums = np.zeros((nodes, len(asked), _VALUES, 2), np.int64)
    for item in range(len(node)):
        for place in range(len(asked)):
            value = values[item, asked[place]]
            sums[node[item], place, value, 0] += first[item]
            sums[node[item], place, value, 1] += second[item]
    return sums


@kernel
def _best_splits(
    sums: NDArray[np.int64], asked: NDArray[np.int64], ridge: float, least: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    # The feature of each node, -1 where no split gains anything, and the last value that goes left.
    feature, value = np.full(len(sums), -1, np.int32), np.zeros(len(sums), np.int32)
    for node in range(len(sums)):
        gradient, curvature = float(sums[node, 0, :, 0].sum()), float(sums[node, 0, :, 1].sum())
        whole = gradient * gradient / (curvature + ridge)
        best = 0.0
        for place in range(len(asked)):
            left_gradient = left_curvature = 0.0
            for last in range(_VALUES - 1):
                left_gradient += sums[node, place, last, 0]
                left_curvature += sums[node, place, last, 1]
                right_gradient, right_curvature = gradient - left_gradient, curvature - left_curvature
                if left_curvature < least or right_curvature < least:
                    continue
                gain = left_gradient * left_gradient / (left_curvature + ridge) - whole
                gain += right_gradient * right_gradient / (right_curvature + ridge)
                if gain > best:
                    best, feature[node], value[node] = gain, asked[place], last
    return feature, value


@kernel
def _descend(
    values: NDArray[np.uint8], node: NDArray[np.int32], feature: NDArray[np.int32], value: NDArray[np.int32]
) -> None:
    for item in range(len(node)):
        here = node[item]
        right = feature[here] >= 0 and values[item, feature[here]] > value[here]
        node[item] = 2 * here + right


@kernel
def _leaf_sums(
    node: NDArray[np.int32], first: NDArray[np.int64], second: NDArray[np.int64], leaves: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    gradient, curvature = np.zeros(leaves, np.int64), np.zeros(leaves, np.int64)
    for item in range(len(node)):
        gradient[node[item]] += first[item]
        curvature[node[item]] += second[item]
    return gradient, curvature
