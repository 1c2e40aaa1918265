"""Union-find over one flat array: connected components with 4 bytes a node, or 5 above 2**32 nodes.

Nodes are the numbers 0 … n - 1. `parent[i] <= i` holds at all times, because the smaller root always wins, so the root
of a component is its smallest node, whatever the order of the edges. Nodes that are numbered in the order of a hash are
in random order as to the edges; linking by such an order costs an inverse Ackermann function of n an edge, amortised,
as linking by rank does (Goel, Khanna, Larkin and Tarjan, Disjoint set union with randomized linking, SODA 2014), and
needs no ranks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

NARROW_NODES = 1 << 32
"""Up to so many nodes a number takes 4 bytes."""
MOST_NODES = 1 << 40

Forest = NDArray[np.uint32] | NDArray[np.uint8]
"""The parent of every node: uint32 of shape (n,), or the 5 bytes of a little-endian number each, uint8 (n, 5)."""

Node = int | np.int64
Numbers = NDArray[np.uint32] | NDArray[np.uint64]
"""Nodes by their numbers."""


def forest(nodes: int, narrow: int = NARROW_NODES) -> Forest:
    """`nodes` nodes that are all alone: each is its own parent. 4 bytes a node up to `narrow` nodes, 5 above.

    Raises `ValueError` above 2**40 nodes.
    """
    if nodes > MOST_NODES:
        raise ValueError(f"{nodes} nodes: numbers of nodes have 40 bits")
    if nodes <= narrow:
        return np.arange(nodes, dtype=np.uint32)
    parent = np.empty((nodes, 5), np.uint8)
    stand_alone(parent)
    return parent


def as_forest(content: memoryview | bytes, nodes: int) -> Forest:
    """The forest of `nodes` nodes whose bytes these are, read-only."""
    if len(content) == 4 * nodes:
        return np.frombuffer(content, "<u4")
    return np.frombuffer(content, np.uint8).reshape(nodes, 5)


@kernel
def _get(parent: Forest, node: Node) -> np.int64:
    # Compiled for one of the two: the number of dimensions is known by then.
    if parent.ndim == 1:
        return np.int64(parent[node])
    return (
        np.int64(parent[node, 0])
        | np.int64(parent[node, 1]) << 8
        | np.int64(parent[node, 2]) << 16
        | np.int64(parent[node, 3]) << 24
        | np.int64(parent[node, 4]) << 32
    )


@kernel
def _put(parent: Forest, node: Node, above: Node) -> None:
    if parent.ndim == 1:
        parent[node] = above
    else:
        parent[node, 0] = above & 0xFF
        parent[node, 1] = above >> 8 & 0xFF
        parent[node, 2] = above >> 16 & 0xFF
        parent[node, 3] = above >> 24 & 0xFF
        parent[node, 4] = above >> 32


@kernel
def stand_alone(parent: Forest) -> None:
    """Make every node its own parent."""
    for node in range(parent.shape[0]):
        _put(parent, node, node)


@kernel
def find(parent: Forest, node: Node) -> Node:
    """The root of `node`; every second node on the way is hung to its grandparent (path halving)."""
    above = _get(parent, node)
    while above != node:
        higher = _get(parent, above)
        if higher == above:
            return above
        _put(parent, node, higher)
        node = higher
        above = _get(parent, node)
    return node


@kernel
def unite(parent: Forest, edges: Numbers) -> int:
    """Join the two nodes of each edge, shape (m, 2); how many of the edges joined two trees."""
    joined = 0
    for edge in range(edges.shape[0]):
        first = find(parent, np.int64(edges[edge, 0]))
        second = find(parent, np.int64(edges[edge, 1]))
        if first < second:
            _put(parent, second, first)
            joined += 1
        elif second < first:
            _put(parent, first, second)
            joined += 1
    return joined


@kernel
def flatten(parent: Forest) -> None:
    """Point every node at its root, in one ascending pass: what a node points at has been settled before."""
    for node in range(parent.shape[0]):
        _put(parent, node, _get(parent, _get(parent, node)))


@kernel
def roots(parent: Forest, out: NDArray[np.uint64]) -> None:
    """The parents as whole numbers, shape (n,)."""
    for node in range(parent.shape[0]):
        out[node] = _get(parent, node)
