"""Union-find over flat arrays: connected components with four or eight bytes a node.

Nodes are positions 0 … n - 1 of a sorted array of ids. `parent[i] <= i` holds at all times, because the smaller root
always wins (union by index), so the root of a component is its smallest node, whatever the order of the edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

Index = NDArray[np.uint32] | NDArray[np.int64]
"""Positions of nodes: uint32 up to 2**32 nodes, int64 above."""


@kernel
def find(parent: Index, node: int) -> int:
    """The root of `node`; every second node on the way is hung to its grandparent (path halving)."""
    above = parent[node]
    while above != node:
        parent[node] = parent[above]
        node = parent[node]
        above = parent[node]
    return node


@kernel
def unite(parent: Index, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    """Join `left[i]` and `right[i]` for each edge i; O(log n) amortised an edge (Tarjan and van Leeuwen 1984)."""
    for edge in range(left.size):
        first = find(parent, left[edge])
        second = find(parent, right[edge])
        if first < second:
            parent[second] = first
        elif second < first:
            parent[first] = second


@kernel
def flatten(parent: Index) -> None:
    """Point every node at its root, in one ascending pass: what a node points at has been settled before."""
    for node in range(parent.size):
        parent[node] = parent[parent[node]]


@kernel
def insert_nodes(
    ids: NDArray[np.uint64],
    parent: Index,
    new: NDArray[np.uint64],
    merged: NDArray[np.uint64],
    grown: Index,
) -> None:
    """Merge the sorted ids `new` into the sorted `ids` and carry the forest over.

    No id is in both. `merged` and `grown`, each as long as both together, receive the ids and the parents; a new node
    is its own root. `parent` is overwritten.
    """
    old_index = 0
    new_index = 0
    for position in range(merged.size):
        if new_index == new.size or (old_index < ids.size and ids[old_index] < new[new_index]):
            merged[position] = ids[old_index]
            # parent[i] <= i: the entry it points at already holds its own new position.
            above = parent[old_index]
            grown[position] = position if above == old_index else parent[above]
            parent[old_index] = position
            old_index += 1
        else:
            merged[position] = new[new_index]
            grown[position] = position
            new_index += 1
