"""Training of the model of pairs of kinds: dual coordinate descent, as `classifier.train`, over features that are kept.

They are few, some fifty a text, so they are found once: 4 bytes each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.model import read_only
from lauter.stages.classifier.train import rarities_of
from lauter.stages.kernels.hashing import GOLDEN
from lauter.stages.kernels.words import finish_hash
from lauter.stages.toxicity.kinds import KINDS, Kinds
from lauter.stages.toxicity.pairs import FEATURES, KindModel, find_pairs

_MOST = 32767
_COST = 0.1
"""C of a text. With 0.03 the macro AUC was .002 lower."""


def features_of(found: Kinds) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The features of all texts, and shape (n + 1,) where those of each are."""
    bounds = np.zeros_like(found.bounds)
    list_features(found.kinds, found.bounds, np.empty(0, np.int32), bounds)
    features = np.empty(int(bounds[-1]), np.int32)
    list_features(found.kinds, found.bounds, features, bounds)
    return features, bounds


def train_pairs(
    features: NDArray[np.int32],
    bounds: NDArray[np.int64],
    toxic: NDArray[np.bool_],
    weights: NDArray[np.float64],
    epochs: int,
    seed: int,
) -> KindModel:
    """Train a model.

    Args:
        features: Of `features_of`.
        bounds: Of `features_of`.
        toxic: Shape (n,).
        weights: Shape (n,): how much each text counts; one of 0 is left out, also of the rarities.
        epochs: Passes over all texts.
        seed: Of the order of texts.
    """
    of_text = np.repeat(weights > 0, np.diff(bounds))
    texts = np.bincount(features[of_text], minlength=FEATURES)
    rarities = rarities_of(texts.astype(np.int32), int(np.count_nonzero(weights))).astype(np.int16)
    row = np.zeros(FEATURES)
    side = np.where(toxic, 1.0, -1.0)
    bias = descend_kept(features, bounds, side, _COST * weights, rarities, row, epochs, np.uint64(seed))
    top = max(float(np.abs(row).max()), 1e-30)
    return KindModel(
        read_only(rarities), read_only(np.rint(row / top * _MOST).astype(np.int16)), top / _MOST, float(bias)
    )


@kernel
def list_features(
    kinds: NDArray[np.uint32], bounds: NDArray[np.int64], features: NDArray[np.int32], out: NDArray[np.int64]
) -> None:
    """Fill `out`, shape (n + 1,), with where each text's features are, and `features` with them if it has room."""
    followed, found = np.empty((3, len(KINDS)), np.uint32), np.empty(FEATURES, np.int32)
    places = np.empty(np.max(np.diff(bounds)), np.int64)
    for text in range(bounds.size - 1):
        count = find_pairs(kinds, bounds[text], bounds[text + 1], followed, places, found)
        out[text + 1] = out[text] + count
        if features.size:
            features[out[text] : out[text + 1]] = found[:count]


@kernel
def descend_kept(
    features: NDArray[np.int32],
    bounds: NDArray[np.int64],
    side: NDArray[np.float64],
    costs: NDArray[np.float64],
    rarities: NDArray[np.int16],
    row: NDArray[np.float64],
    epochs: int,
    seed: np.uint64,
) -> float:
    """Train one column, `row`; returns its bias. The arguments are those of `classifier.train.descend`."""
    total = bounds.size - 1
    alpha = np.zeros(total)
    lengths = np.ones(total)
    for text in range(total):
        square = np.int64(0)
        for place in range(bounds[text], bounds[text + 1]):
            square += np.int64(rarities[features[place]]) ** 2
        lengths[text] = np.sqrt(np.float64(square)) if square else 1.0
    order = np.arange(total)
    bias = 0.0
    state = seed
    for _ in range(epochs):
        for last in range(total - 1, 0, -1):
            state += GOLDEN
            other = np.int64((finish_hash(state) >> np.uint64(32)) * np.uint64(last + 1) >> np.uint64(32))
            order[last], order[other] = order[other], order[last]
        for turn in range(total):
            text = order[turn]
            if costs[text] <= 0:
                continue
            product = 0.0
            for place in range(bounds[text], bounds[text + 1]):
                product += row[features[place]] * np.float64(rarities[features[place]])
            diagonal = 0.5 / costs[text]
            slope = side[text] * (product / lengths[text] + bias) - 1 + diagonal * alpha[text]
            if alpha[text] == 0 and slope >= 0:
                continue
            changed = max(alpha[text] - slope / (2.0 + diagonal), 0.0)
            step = (changed - alpha[text]) * side[text]
            alpha[text] = changed
            bias += step
            for place in range(bounds[text], bounds[text + 1]):
                row[features[place]] += step / lengths[text] * np.float64(rarities[features[place]])
    return bias
