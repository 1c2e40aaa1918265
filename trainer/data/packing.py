"""Best-fit packing: which documents share a window, so that none is cut that fits one.

Best-fit-decreasing bin packing as in Ding et al., "Fewer Truncations Improve Language Modeling" (arXiv 2404.10830,
section 3.2): documents from the longest to the shortest, each into the open window with the least room that takes it.
A document longer than a window is cut into whole windows, and what is left of it is packed like a document. Of a
dialogue the later windows would lack the question: `overlong` has it end with its first window, or leaves it out.

A plan covers one row group: it is what is decoded at once, a plan then holds in every order of row groups, and a
takedown, which leaves lengths as they are, changes none. Row groups of millions of tokens leave less than 1 % of
padding at 4,096 places.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.trainer.config.sections import Overlong
from lauter.trainer.data.cache import RecentlyUsed
from lauter.trainer.data.errors import DataError
from lauter.trainer.data.order import shuffled
from lauter.trainer.data.shard import RowGroup
from lauter.trainer.data.stream import Stream

PACKING_VERSION = 1
"""Goes up with every change of how many windows the same lengths make."""

READERS = 8
"""Row groups whose lengths are read at the same time: it is mostly waiting, where shards lie far away."""

AT_ONCE = 1024
"""Row groups that are handed to the readers together: one that waits is a kilobyte, and 10^12 tokens have 240,000."""

BLOCK = 64
"""Sizes of room that are looked through at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of one row group: window w holds the parts `first[w]` to `first[w + 1]`."""

    first: NDArray[np.int64]
    """Shape (windows + 1,)."""
    starts: NDArray[np.int64]
    """Where each part starts in the row group's tokens, shape (parts,); ascending within a window."""
    ends: NDArray[np.int64]
    """Where each part ends, shape (parts,)."""

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return len(self.first) - 1


def plan_windows(lengths: NDArray[np.int64], sequence_length: int, key: str, overlong: Overlong = "cut") -> Plan:
    """Pack documents of these lengths, in tokens, shape (n,), into windows; which window comes when, the key decides.

    Windows come out of the packing by length, so their order is shuffled.
    """
    taken = _taken(lengths, sequence_length, overlong)
    whole, rest = np.divmod(taken, sequence_length)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else np.empty(0, np.int64)
    tails = np.flatnonzero(rest)
    tail_lengths = rest[tails]
    # Stable: of equal lengths, the first document comes first.
    by_length = np.argsort(-tail_lengths, kind="stable")
    windows = np.empty(len(tails), np.int64)
    opened = int(best_fit(tail_lengths, by_length, sequence_length, windows)) if len(tails) else 0
    full = int(whole.sum())
    pieces = np.arange(full) - np.repeat(np.cumsum(whole) - whole, whole)
    tail_ends = offsets[tails] + taken[tails]
    starts = np.concatenate([np.repeat(offsets, whole) + pieces * sequence_length, tail_ends - tail_lengths])
    ends = np.concatenate([starts[:full] + sequence_length, tail_ends])
    window = np.concatenate([np.arange(full), full + windows])
    rank = np.empty(full + opened, np.int64)
    rank[shuffled(key, full + opened)] = np.arange(full + opened)
    window = rank[window]
    parts = np.lexsort((starts, window))
    return Plan(np.searchsorted(window[parts], np.arange(full + opened + 1)), starts[parts], ends[parts])


def _taken(lengths: NDArray[np.int64], sequence_length: int, overlong: Overlong) -> NDArray[np.int64]:
    """Of each document, how many of its first tokens are packed."""
    if overlong == "cut":
        return lengths
    return np.where(lengths > sequence_length, sequence_length if overlong == "truncate" else 0, lengths)


@dataclass(slots=True)
class LeftOut:
    """What of a stream's epoch no window holds."""

    documents: int = 0
    """Of which a part or all is left out."""
    tokens: int = 0


class PackedStream:
    """A stream's plans. How many windows each row group has is known from the start, which parts when it is read."""

    def __init__(self, stream: Stream, sequence_length: int, seed: int, held: int, overlong: Overlong = "cut") -> None:
        """Reads the lengths of all documents, about 1/500 of the bytes, unless the stream knows its windows.

        `held` plans are kept. Stored windows are those of documents that are cut.

        Raises:
            DataError: a shard can't be read.
        """
        self._stream = stream
        self._sequence_length = sequence_length
        self._key = f"{stream.layout_id}\0{seed}\0{stream.stored_name}\0windows"
        self._plans: RecentlyUsed[int, Plan] = RecentlyUsed(held)
        self._overlong = overlong
        self.left_out = LeftOut()
        """Nothing where documents are cut."""

        def count(group: int) -> tuple[int, NDArray[np.int64]]:
            lengths = stream.lengths(group)
            return self._plan(group, lengths).windows, lengths - _taken(lengths, sequence_length, overlong)

        groups = len(stream.places())
        self.windows = np.zeros(groups, np.int64)
        """Of each row group, shape (groups,)."""
        if stream.group_windows is not None and overlong == "cut":
            self.windows = np.concatenate([np.empty(0, np.int64), *stream.group_windows])
            return
        with ThreadPoolExecutor(READERS) as readers:
            for first in range(0, groups, AT_ONCE):
                some = range(first, min(groups, first + AT_ONCE))
                for group, (windows, lost) in zip(some, readers.map(count, some), strict=True):
                    self.windows[group] = windows
                    self.left_out.documents += int(np.count_nonzero(lost))
                    self.left_out.tokens += int(lost.sum())

    def parts(self, group: int, window: int, content: RowGroup) -> Iterator[tuple[int, int]]:
        """The parts [start, end) of a row group that share one of its windows, ascending.

        Raises:
            DataError: the stored number of windows is not what the row group makes.
        """
        plan = self._plans.get(group, lambda: self._plan(group, np.diff(content.offsets)))
        if plan.windows != self.windows[group]:
            raise DataError(
                [
                    f"stream {self._stream.name!r}: row group {group} makes {plan.windows} windows, and "
                    f"{self.windows[group]} are stored; run `lauter pack DIR --length {self._sequence_length}` again"
                ]
            )
        for part in range(int(plan.first[window]), int(plan.first[window + 1])):
            yield int(plan.starts[part]), int(plan.ends[part])

    def _plan(self, group: int, lengths: NDArray[np.int64]) -> Plan:
        return plan_windows(lengths, self._sequence_length, f"{self._key}\0{group}", self._overlong)


@kernel
def best_fit(lengths: NDArray[np.int64], order: NDArray[np.int64], size: int, windows: NDArray[np.int64]) -> int:
    """Put each length (1 to `size`), in the given order, into the open window with the least room that takes it.

    `windows[i]` becomes the window of length i; returns how many were opened. Of equally good windows the one that was
    used last is taken. Open windows hang in lists by their room; blocks of rooms that are all empty are passed over.
    """
    head = np.full(size + 1, -1, np.int64)
    behind = np.empty(lengths.size, np.int64)
    open_in_block = np.zeros(size // BLOCK + 1, np.int64)
    opened = 0
    for index in order:
        length = lengths[index]
        room = length
        while room <= size and head[room] < 0:
            if room % BLOCK == 0 and open_in_block[room // BLOCK] == 0:
                room += BLOCK
            else:
                room += 1
        if room > size:
            window = opened
            opened += 1
            room = size
        else:
            window = head[room]
            head[room] = behind[window]
            open_in_block[room // BLOCK] -= 1
        windows[index] = window
        left = room - length
        if left > 0:
            behind[window] = head[left]
            head[left] = window
            open_in_block[left // BLOCK] += 1
    return opened
