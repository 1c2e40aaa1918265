"""How rows of the exchange between these steps are put in order, and where the rows of a component lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.record_sort import sort_records

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio: multiplication by it spreads numbers that are not even (Fibonacci hashing)."""


def range_of_component(component: NDArray[np.uint64], partitions: int) -> NDArray[np.int64]:
    """The range in which the rows of a component lie.

    A component's name is its smallest item, and the smallest of several hashes is no even hash: it is spread by a
    multiplication (Fibonacci hashing, 2^64 / golden ratio).
    """
    return exchange.partition_of(component * GOLDEN, partitions)


def unique_pairs(pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each row of pairs, shape (n, 2), once, by the first number, then the second. Sorts `pairs` where they lie."""
    sort_records(pairs)
    new = np.ones(len(pairs), np.bool_)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs if new.all() else pairs[new]


def starts_of(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where each run of equal values begins in sorted values, and their number behind the last, shape (runs + 1,)."""
    first = np.ones(len(values), np.bool_)
    first[1:] = values[1:] != values[:-1]
    return np.append(np.flatnonzero(first), len(values))


def runs_of(starts: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of all rows of some runs (`starts_of`), run after run."""
    low, count = starts[chosen], starts[chosen + 1] - starts[chosen]
    before = np.cumsum(count) - count
    return np.repeat(low - before, count) + np.arange(int(count.sum()))


def find(sorted_values: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(place of each wanted value in sorted values, whether it is there), shapes (n,)."""
    if not len(sorted_values):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(sorted_values, wanted), len(sorted_values) - 1)
    return place, sorted_values[place] == wanted
