"""From equal keys to edges: a star around the smallest node of each key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def star_edges(key: NDArray[np.uint64], node: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Edges (smallest node, other node) of every key that two or more nodes have, shape (m, 2).

    A star has one edge less than it has nodes, so a key of a million pages costs a million edges, not 5e11. Edges are
    sorted and each is given once, whatever the order of the rows and however many keys two nodes share. Peak memory is
    34 bytes a row, and 120 bytes a row whose key is shared.
    """
    order = np.argsort(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    # Most keys are met once: they leave before anything else is done.
    shared = np.zeros(key.size, np.bool_)
    shared[1:] = same
    shared[:-1] |= same
    if not shared.any():
        return np.empty((0, 2), np.uint64)
    ordered = ordered[shared]
    member = node[order[shared]]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    smallest = np.repeat(np.minimum.reduceat(member, starts), np.diff(starts, append=member.size))
    outer = smallest != member
    smallest, member = smallest[outer], member[outer]
    order = np.lexsort((member, smallest))
    smallest, member = smallest[order], member[order]
    first = np.ones(member.size, np.bool_)
    first[1:] = (smallest[1:] != smallest[:-1]) | (member[1:] != member[:-1])
    return np.stack((smallest[first], member[first]), axis=1)
