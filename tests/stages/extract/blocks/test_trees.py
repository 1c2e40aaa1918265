from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.extract.blocks.trees import Trees, scores


def twin(trees: Trees, item: list[float]) -> int:
    score = int(trees.base[0])
    for feature, limit, leaf in zip(trees.feature, trees.limit, trees.leaf, strict=True):
        node = 0
        while node < len(feature):
            node = 2 * node + 1 + (feature[node] >= 0 and item[feature[node]] > limit[node])
        score += leaf[node - len(feature)]
    return score


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_equals_a_walk_of_each_tree(seed: int, depth: int) -> None:
    draw = np.random.default_rng(seed)
    nodes = 2**depth - 1
    trees = Trees(
        draw.integers(-1, 3, (5, nodes)).astype(np.int16),
        draw.normal(size=(5, nodes)).astype(np.float32),
        draw.integers(-999, 999, (5, nodes + 1)).astype(np.int32),
        np.array([7], np.int32),
    )
    items = draw.normal(size=(71, 3)).astype(np.float32)
    assert scores(trees, items).tolist() == [twin(trees, item) for item in items]
