"""Losses: exponential and logarithm are the C library's to many digits, products have one order, trees are right."""

from __future__ import annotations

import heapq
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.fasttext.output import (
    build_tree,
    exponential,
    logarithm,
    multiply,
    packed,
    sigmoid_table,
    softmax,
)


@given(st.floats(-750, 720))
def test_exponential(x: float) -> None:
    if x < -700:
        assert exponential(x) == 0
    elif x <= 700:
        assert math.isclose(exponential(x), math.exp(x), rel_tol=3e-13)


@given(st.floats(1e-300, 1e300))
def test_logarithm(x: float) -> None:
    assert math.isclose(logarithm(x), math.log(x), rel_tol=1e-13, abs_tol=1e-14)


def test_products_are_summed_in_order() -> None:
    draw = np.random.default_rng(2)
    for texts, labels, dim in ((3, 70, 10), (1, 64, 4), (2, 1, 3), (5, 130, 33)):
        hidden = draw.standard_normal((texts, dim)).astype(np.float32)
        output = draw.standard_normal((labels, dim)).astype(np.float32)
        expected = np.zeros((texts, labels), np.float32)
        for at in range(dim):
            expected += hidden[:, at, None] * output[None, :, at]
        found = np.empty((texts, labels), np.float32)
        multiply(hidden, packed(output), found)
        assert found.tobytes() == expected.tobytes()


def test_softmax_of_allowed_entries() -> None:
    rows = np.array([[1, 2, -np.inf, 900], [-np.inf] * 4, [-900, -899, -898, -np.inf]], np.float32)
    softmax(rows)
    np.testing.assert_allclose(rows[0], [0, 0, 0, 1], atol=1e-30)
    assert not rows[1].any()
    np.testing.assert_allclose(rows[2], [0.09003057, 0.24472848, 0.66524094, 0], rtol=1e-6)


def test_sigmoid_table() -> None:
    table = sigmoid_table()
    assert table.shape == (513,)
    np.testing.assert_allclose(table, 1 / (1 + np.exp(-np.arange(-8, 8.01, 1 / 32))), rtol=1e-6)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_the_tree_is_a_huffman_tree(counts: list[int]) -> None:
    counts.sort(reverse=True)
    tree = build_tree(np.array(counts, np.int64))
    depths = {2 * len(counts) - 2: 0}
    for node in range(2 * len(counts) - 2, len(counts) - 1, -1):
        depths[int(tree.left[node])] = depths[int(tree.right[node])] = depths[node] + 1
    cost = sum(count * depths[leaf] for leaf, count in enumerate(counts))
    heap, least = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        least += merged
        heapq.heappush(heap, merged)
    assert cost == least
