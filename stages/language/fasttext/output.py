"""From the mean of a text's rows to the probability of each label: the losses of fastText (Loss, fastText 0.9.2).

Every sum is made in one fixed order, that of fastText, and never by a BLAS library, whose order depends on the
machine, its threads and the number of texts. The exponential and the logarithm are our own for the same reason: those
of two C libraries differ in their last bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

LANES = 64
"""Labels that are summed side by side: four vectors of the widest kind."""
_LOG2_E = 1.4426950408889634
# ln 2 in two parts: a whole number of up to ten bits times the upper one is exact.
_LN2_UPPER = 0.6931471805598903
_LN2_LOWER = 5.497923018708371e-14
# Adding this to a small number leaves its nearest whole number in the lowest bits.
_ROUNDER = 6755399441055744.0
# Loss::sigmoid: a table of 512 steps from -8 to 8.
_STEPS, _LIMIT = 512, 8
OFFSET = 1e-5
"""What fastText adds to a probability before it takes the logarithm (std_log)."""


class Tree(NamedTuple):
    """The Huffman tree of loss `hs` (D. A. Huffman 1952): leaves 0 … L - 1 are the labels, the root is 2L - 2."""

    left: NDArray[np.int32]
    """Shape (2L - 1,): -1 for a leaf."""
    right: NDArray[np.int32]


def packed(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """The output matrix, shape (labels, dim), in blocks of 64 labels: shape (blocks, dim, 64), filled up with 0."""
    labels, dim = output.shape
    blocks = -(-labels // LANES)
    padded = np.zeros((blocks * LANES, dim), np.float32)
    padded[:labels] = output
    return np.ascontiguousarray(padded.reshape(blocks, LANES, dim).transpose(0, 2, 1))


def sigmoid_table() -> NDArray[np.float32]:
    """FastText's table of the logistic function, shape (513,)."""
    x = np.arange(_STEPS + 1, dtype=np.float32) * np.float32(2 * _LIMIT) / np.float32(_STEPS) - np.float32(_LIMIT)
    return np.array([1 / (1 + exponential(-float(value))) for value in x], np.float32)


def build_tree(counts: NDArray[np.int64]) -> Tree:
    """The tree for labels with `counts`, shape (L,), in falling order (HierarchicalSoftmaxLoss::buildTree)."""
    labels = len(counts)
    nodes = 2 * labels - 1
    left, right = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    # A node that is not made yet weighs more than any other.
    weights = [*counts.tolist(), *[10**15] * (labels - 1)]
    leaf, node = labels - 1, labels
    for made in range(labels, nodes):
        for side in (left, right):
            if leaf >= 0 and weights[leaf] < weights[node]:
                side[made] = leaf
                leaf -= 1
            else:
                side[made] = node
                node += 1
        weights[made] = weights[left[made]] + weights[right[made]]
    return Tree(left, right)


@kernel
def multiply(hidden: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Fill `out`, shape (n, labels), with the product of each row of `hidden` with each label's weights.

    Each is the sum over dim in rising order, every product and every sum rounded: that of DenseMatrix::dotRow.

    Args:
        hidden: Shape (n, dim).
        weights: `packed`.
        out: Filled.
    """
    count, dim, labels = hidden.shape[0], hidden.shape[1], out.shape[1]
    one, two = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    for block in range(weights.shape[0]):
        first = block * LANES
        # Two texts at a time: the weights come from the second-level cache, and are loaded once for both.
        for text in range(0, count, 2):
            other = min(text + 1, count - 1)
            one[:] = 0
            two[:] = 0
            at = 0
            while at + 4 <= dim:
                a, b, c, d = hidden[text, at], hidden[text, at + 1], hidden[text, at + 2], hidden[text, at + 3]
                e, f, g, h = hidden[other, at], hidden[other, at + 1], hidden[other, at + 2], hidden[other, at + 3]
                for lane in range(LANES):
                    w, x = weights[block, at, lane], weights[block, at + 1, lane]
                    y, z = weights[block, at + 2, lane], weights[block, at + 3, lane]
                    one[lane] = one[lane] + a * w + b * x + c * y + d * z
                    two[lane] = two[lane] + e * w + f * x + g * y + h * z
                at += 4
            while at < dim:
                a, e = hidden[text, at], hidden[other, at]
                for lane in range(LANES):
                    one[lane] += a * weights[block, at, lane]
                    two[lane] += e * weights[block, at, lane]
                at += 1
            for lane in range(min(LANES, labels - first)):
                out[text, first + lane] = one[lane]
                out[other, first + lane] = two[lane]


@kernel
def softmax(out: NDArray[np.float32]) -> None:
    """Turn each row of `out`, shape (n, labels), into probabilities; entries that are minus infinity become 0.

    A row without any other becomes all 0.
    """
    labels = out.shape[1]
    powers = np.empty(labels, np.float64)
    for text in range(out.shape[0]):
        most = np.float32(-np.inf)
        for label in range(labels):
            most = max(most, out[text, label])
        if most == -np.inf:
            out[text] = 0
            continue
        for label in range(labels):
            powers[label] = exponential(np.float64(out[text, label]) - np.float64(most))
        total = 0.0
        for label in range(labels):
            total += powers[label]
        share = 1 / total
        for label in range(labels):
            out[text, label] = np.float32(powers[label] * share)


@kernel
def sigmoids(out: NDArray[np.float32], table: NDArray[np.float32]) -> None:
    """Turn each entry of `out` into the probability of its label alone, as exact as fastText's table of 512 steps."""
    for text in range(out.shape[0]):
        for label in range(out.shape[1]):
            x = out[text, label]
            if x < -_LIMIT:
                out[text, label] = 0
            elif x > _LIMIT:
                out[text, label] = 1
            else:
                step = (x + np.float32(_LIMIT)) * np.float32(_STEPS) / np.float32(_LIMIT) / np.float32(2)
                out[text, label] = table[np.int64(step)]


@kernel
def branches(out: NDArray[np.float32]) -> None:
    """Turn each entry of `out` into the probability of the right branch of its node (HierarchicalSoftmaxLoss::dfs)."""
    for text in range(out.shape[0]):
        for node in range(out.shape[1]):
            out[text, node] = np.float32(1 / (1 + exponential(-np.float64(out[text, node]))))


@kernel
def leaves(right_share: NDArray[np.float32], tree: Tree, out: NDArray[np.float32]) -> None:
    """Fill `out`, shape (n, labels), with the probability of each leaf.

    Args:
        right_share: Shape (n, labels): `branches`, of inner node L + i at i.
        tree: Of the labels.
        out: Filled.
    """
    labels = out.shape[1]
    reached = np.empty(2 * labels - 1, np.float64)
    for text in range(out.shape[0]):
        reached[2 * labels - 2] = 1
        # A node is always made after its children, so its number is larger.
        for node in range(2 * labels - 2, labels - 1, -1):
            share = np.float64(right_share[text, node - labels])
            reached[tree.left[node]] = reached[node] * (1 - share)
            reached[tree.right[node]] = reached[node] * share
        for label in range(labels):
            out[text, label] = np.float32(reached[label])


@kernel
def exponential(x: float) -> float:
    """E to the power of x, to 2e-13 of its value; 0 below -700, and as for 700 above it.

    x = k ln 2 + r with |r| <= ln 2 / 2, and the Taylor series of e**r to its eleventh power.
    """
    clipped = min(max(x, -700.0), 700.0)
    shifted = clipped * _LOG2_E + _ROUNDER
    whole = shifted - _ROUNDER
    r = (clipped - whole * _LN2_UPPER) - whole * _LN2_LOWER
    series = 1.0 + r * (1 / 11)
    for power in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1):
        series = 1.0 + r * series * (1.0 / power)
    scale = np.int64((np.int64(whole) + 1023) << 52).view(np.float64)
    return series * scale if x >= -700.0 else 0.0


@kernel
def logarithm(x: float) -> float:
    """The natural logarithm of a normal positive number, to 1e-14.

    x = 2**k m with m between sqrt(1/2) and sqrt(2), and ln m = 2 artanh((m - 1) / (m + 1)) as a series.
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> 52) - 1023
    mantissa = np.int64((bits & 0xFFFFFFFFFFFFF) | (1023 << 52)).view(np.float64)
    if mantissa > 1.4142135623730951:
        mantissa *= 0.5
        exponent += 1
    ratio = (mantissa - 1) / (mantissa + 1)
    square = ratio * ratio
    series = 1 / 23
    for power in (21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1):
        series = 1.0 / power + square * series
    return exponent * (_LN2_UPPER + _LN2_LOWER) + 2 * ratio * series
