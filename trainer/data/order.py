"""In which order a stream's row groups are read: as stored in epoch 0, permuted in every later one.

Shards are shuffled when they are built, so the stored order is random already. A later epoch permutes whole row groups:
the documents of one stay together, and reading stays sequential. The order depends on `layout_id`, which a takedown
leaves as it is, and on no digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import xxhash
from numpy.typing import NDArray

from lauter.trainer.data.cache import RecentlyUsed

EPOCHS_HELD = 3
"""Orders that are kept: the present epoch, the next one, which a window may reach into, and one more."""


def group_order(layout_id: str, seed: int, stream: str, epoch: int, groups: int) -> NDArray[np.int64]:
    """The row groups of an epoch in the order in which they are read, shape (groups,).

    Sorted by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 15) of a key plus the row group's number. It is a
    bijection, so there are no ties.

    >>> group_order("layout", 1, "main", 0, 4).tolist()
    [0, 1, 2, 3]
    """
    if epoch == 0:
        return np.arange(groups)
    return shuffled(f"{layout_id}\0{seed}\0{stream}\0{epoch}", groups)


def shuffled(key: str, count: int) -> NDArray[np.int64]:
    """The numbers 0 to count - 1 in an order that the key decides, shape (count,)."""
    start = np.uint64(xxhash.xxh3_64_intdigest(key.encode()))
    # Unsigned arithmetic wraps, as SplitMix64 wants it.
    mixed = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


@dataclass(frozen=True, slots=True)
class Piece:
    """Places [start, end) of one row group."""

    group: int
    start: int
    end: int


class EndlessOrder:
    """A stream's epochs one after the other, without end, counted in places: tokens, or windows of a packing plan."""

    def __init__(self, layout_id: str, seed: int, stream: str, places: NDArray[np.int64]) -> None:
        """`places` of each row group, shape (groups,), not all of them 0."""
        self.total = int(places.sum())
        self._identity = (layout_id, seed, stream)
        self._places = places
        self._epochs: RecentlyUsed[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = RecentlyUsed(EPOCHS_HELD)

    def pieces(self, place: int, count: int) -> list[Piece]:
        """Where the `count` places from `place` on lie, in order."""
        found = []
        while count:
            epoch, within = divmod(place, self.total)
            order, ends = self._epochs.get(epoch, partial(self._epoch, epoch))
            index = int(np.searchsorted(ends, within, "right"))
            while count and index < len(order):
                group = int(order[index])
                start = within - (int(ends[index]) - int(self._places[group]))
                end = min(int(self._places[group]), start + count)
                if end > start:
                    found.append(Piece(group, start, end))
                count -= end - start
                within += end - start
                index += 1
            place = (epoch + 1) * self.total
        return found

    def groups_begun(self, place: int) -> int:
        """Row groups, over all epochs, of which one of the first `place` places is; none twice, but each epoch anew."""
        epoch, within = divmod(place, self.total)
        order, ends = self._epochs.get(epoch, partial(self._epoch, epoch))
        starts = ends - self._places[order]
        return epoch * len(order) + int(np.searchsorted(starts, within, "left"))

    def first_place(self, groups: int) -> int:
        """Where the row group begins that comes after so many, over all epochs."""
        epoch, index = divmod(groups, len(self._places))
        _, ends = self._epochs.get(epoch, partial(self._epoch, epoch))
        return epoch * self.total + (int(ends[index - 1]) if index else 0)

    def _epoch(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = group_order(*self._identity, epoch, len(self._places))
        return order, np.cumsum(self._places[order])
