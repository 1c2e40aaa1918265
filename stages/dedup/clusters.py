"""From edges to clusters: connected components of a stream of edges, in memory bounded by the nodes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lauter.stages.kernels.union_find import Index, flatten, insert_nodes, unite

CHUNK_EDGES = 2_000_000
"""Edges worked off at a time at least: about 200 MB of scratch memory."""
NODES_PER_EDGE = 8
"""Once there are many nodes, a chunk has one edge for this many: it keeps the merges linear in the edges."""


def connected_components(
    edges: Iterable[NDArray[np.uint64]], chunk_edges: int = CHUNK_EDGES
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(node, cluster), each of shape (n,): the nodes that have an edge, sorted, and each one's smallest companion.

    `edges` yields arrays of shape (m, 2). The result does not depend on their order or cutting. Edges are forgotten
    once they are in the forest; peak memory is at most 44 bytes a node that has an edge (52 above 2**32 nodes) plus
    110 bytes for each of `chunk_edges` edges and what one array of the stream holds.
    """
    ids: NDArray[np.uint64] = np.empty(0, np.uint64)
    parent: Index = np.empty(0, np.uint32)
    pending: list[NDArray[np.uint64]] = []
    count = 0
    for part in edges:
        for start in range(0, len(part), chunk_edges):
            pending.append(part[start : start + chunk_edges])
            count += len(pending[-1])
            if count >= max(chunk_edges, ids.size // NODES_PER_EDGE):
                ids, parent = _joined(ids, parent, np.concatenate(pending))
                pending.clear()
                count = 0
    if pending:
        ids, parent = _joined(ids, parent, np.concatenate(pending))
    flatten(parent)
    return ids, ids[parent]


def _joined(ids: NDArray[np.uint64], parent: Index, edges: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Index]:
    ends, inverse = np.unique(edges, return_inverse=True)
    place = np.searchsorted(ids, ends)
    known = np.zeros(ends.size, np.bool_)
    inside = place < ids.size
    known[inside] = ids[place[inside]] == ends[inside]
    new = ends[~known]
    merged = np.empty(ids.size + new.size, np.uint64)
    grown: Index
    if merged.size <= 2**32:
        grown = np.empty(merged.size, np.uint32)
    else:
        grown = np.empty(merged.size, np.int64)
        parent = parent.astype(np.int64, copy=False)
    insert_nodes(ids, parent, new, merged, grown)
    # The new place of an end: its place among the old ids plus the new ids before it.
    place += np.cumsum(~known) - ~known
    pairs = place[inverse.reshape(edges.shape)]
    unite(grown, pairs[:, 0], pairs[:, 1])
    return merged, grown
