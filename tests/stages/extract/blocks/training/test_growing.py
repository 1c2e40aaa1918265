from __future__ import annotations

import numpy as np

from lauter.stages.extract.blocks.training.growing import Recipe, grow
from lauter.stages.extract.blocks.trees import UNIT, scores

RECIPE = Recipe(trees=20, depth=3, rate=0.3)


def items(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    features = draw.normal(size=(count, 6)).astype(np.float32)
    wanted = (features[:, 1] > 0.3) ^ (features[:, 4] > 0)
    return features, wanted, np.ones(count)


def test_what_no_line_separates_is_learned() -> None:
    features, wanted, weight = items(3000)
    trees = grow(features[:2000], wanted[:2000], weight[:2000], RECIPE)
    right = (scores(trees, features[2000:]) > 0) == wanted[2000:]
    assert right.mean() > 0.9


def test_the_same_items_give_the_same_trees() -> None:
    one, two = (grow(*items(500), RECIPE) for _ in range(2))
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in one._fields)


def test_the_base_is_the_log_odds_of_the_weight() -> None:
    features, wanted, _ = items(400)
    weight = np.where(wanted, 3.0, 1.0)
    share = weight[wanted].sum() / weight.sum()
    assert grow(features, wanted, weight, RECIPE).base[0] == round(float(np.log(share / (1 - share))) * UNIT)


def test_features_that_tell_nothing_split_nothing() -> None:
    _, wanted, weight = items(200)
    trees = grow(np.zeros((200, 4), np.float32), wanted, weight, RECIPE)
    assert (trees.feature == -1).all()
