"""The k most probable labels, and among equals the ones that fastText gives (Loss::findKBest, fastText 0.9.2).

fastText ranks by the logarithm of probability + 1e-5 in single precision, for which all probabilities below some 1e-11
are equal. Which of them come second to fifth after a sure answer is decided by how a heap of the C++ library moves
equals, so the heap here moves them in the same way (std::push_heap, pop_heap and sort_heap as in libstdc++).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.language.fasttext.output import OFFSET, Tree, exponential, logarithm

# A probability that is below the least in the heap by this share has a smaller logarithm in single precision too: near
# -11.5 its steps are 9.5e-7.
_SURELY_LESS = 1 - 2e-6


@kernel
def rank(
    probabilities: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    answered: NDArray[np.bool_],
    labels: NDArray[np.int32],
    found: NDArray[np.float32],
) -> None:
    """Fill in the k most probable labels of n texts.

    Args:
        probabilities: Shape (n, L).
        allowed: Shape (n, L): only these are answers. One row is for all texts; (0, 0) allows every label.
        answered: Shape (n,): texts that have an answer.
        labels: Shape (n, k), filled: most probable first; -1 where there is none.
        found: Shape (n, k), filled: their probabilities; 0 where there is none.
    """
    k = labels.shape[1]
    scores, places = np.empty(k + 1, np.float32), np.empty(k + 1, np.int32)
    for text in range(labels.shape[0]):
        size = 0
        bound = 0.0
        mask = text if allowed.shape[0] > 1 else 0
        if answered[text]:
            for label in range(probabilities.shape[1]):
                if allowed.shape[0] and not allowed[mask, label]:
                    continue
                shifted = np.float64(probabilities[text, label]) + OFFSET
                if size == k and shifted < bound:
                    continue
                score = np.float32(logarithm(shifted))
                if size == k and score < scores[0]:
                    continue
                size = offer(scores, places, size, k, score, label)
                bound = (np.float64(probabilities[text, places[0]]) + OFFSET) * _SURELY_LESS
        sort(scores, places, size)
        for index in range(k):
            labels[text, index] = places[index] if index < size else -1
            found[text, index] = probabilities[text, places[index]] if index < size else 0


@kernel
def rank_leaves(
    right_share: NDArray[np.float32],
    tree: Tree,
    answered: NDArray[np.bool_],
    labels: NDArray[np.int32],
    found: NDArray[np.float32],
) -> None:
    """As `rank` for loss `hs` (HierarchicalSoftmaxLoss::dfs): branches that are less probable than 1e-5 are left out.

    The probabilities are fastText's too, the product of branches with 1e-5 added to each: up to 1e-5 more a branch.

    Args:
        right_share: Shape (n, L): share of the right branch of inner node L + i at i.
        tree: Of the labels.
        answered: Shape (n,): texts that have an answer.
        labels: Shape (n, k), filled.
        found: Shape (n, k), filled.
    """
    k, leaves = labels.shape[1], right_share.shape[1]
    scores, places = np.empty(k + 1, np.float32), np.empty(k + 1, np.int32)
    # Walking left first, each node on the way leaves its right child behind.
    nodes, values = np.empty(leaves + 1, np.int32), np.empty(leaves + 1, np.float32)
    least = np.float32(logarithm(OFFSET))
    for text in range(labels.shape[0]):
        size, depth = 0, 0
        if answered[text]:
            nodes[0], values[0], depth = 2 * leaves - 2, 0, 1
        while depth:
            depth -= 1
            node, value = nodes[depth], values[depth]
            if value < least or (size == k and value < scores[0]):
                continue
            if tree.left[node] < 0:
                size = offer(scores, places, size, k, value, node)
                continue
            share = np.float64(right_share[text, node - leaves])
            nodes[depth] = tree.right[node]
            values[depth] = value + np.float32(logarithm(share + OFFSET))
            nodes[depth + 1] = tree.left[node]
            values[depth + 1] = value + np.float32(logarithm(np.float64(np.float32(1.0 - share)) + OFFSET))
            depth += 2
        sort(scores, places, size)
        for index in range(k):
            labels[text, index] = places[index] if index < size else -1
            found[text, index] = np.float32(exponential(np.float64(scores[index]))) if index < size else 0


@kernel
def offer(
    scores: NDArray[np.float32], places: NDArray[np.int32], size: int, k: int, score: np.float32, label: int
) -> int:
    """Push a label on the heap, whose least is in front, and pop the least where it is too large; the new size."""
    rise(scores, places, size, score, label)
    if size < k:
        return size + 1
    pop(scores, places, k + 1)
    return k


@kernel
def sort(scores: NDArray[np.float32], places: NDArray[np.int32], size: int) -> None:
    """Turn the heap into a list, greatest first."""
    for length in range(size, 1, -1):
        pop(scores, places, length)


@kernel
def pop(scores: NDArray[np.float32], places: NDArray[np.int32], size: int) -> None:
    """Move the least of a heap of `size` to its end, and make the rest a heap."""
    score, label = scores[size - 1], places[size - 1]
    scores[size - 1], places[size - 1] = scores[0], places[0]
    length = size - 1
    hole, child = 0, 0
    # The hole sinks to a leaf along the lesser children, the right one among equals, and the last element rises there.
    while child < (length - 1) // 2:
        child = 2 * (child + 1)
        if scores[child] > scores[child - 1]:
            child -= 1
        scores[hole], places[hole] = scores[child], places[child]
        hole = child
    if length > 0 and length % 2 == 0 and child == (length - 2) // 2:
        child = 2 * (child + 1)
        scores[hole], places[hole] = scores[child - 1], places[child - 1]
        hole = child - 1
    rise(scores, places, hole, score, label)


@kernel
def rise(scores: NDArray[np.float32], places: NDArray[np.int32], hole: int, score: np.float32, label: int) -> None:
    """Put an element at `hole` and let it rise above all greater parents."""
    while hole > 0:
        parent = (hole - 1) // 2
        if not scores[parent] > score:
            break
        scores[hole], places[hole] = scores[parent], places[parent]
        hole = parent
    scores[hole], places[hole] = score, label
