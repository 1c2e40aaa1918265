"""Sorts records of two 64-bit numbers where they lie: no second copy of a range, no list of positions.

A radix sort from the highest bit that differs ("American flag sort": McIlroy, Bostic and McIlroy, Engineering radix
sort, Computing Systems 6, 1993): records are counted by a digit, then each is swapped to where its digit begins. A
digit has as many bits as leave a handful of records in each bucket, and those are sorted by insertion. Keys that are
hashes spread evenly, so two passes sort a million; keys that are all alike cost a look and no pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

FEW = 24
"""Records that are sorted by insertion."""
DIGIT_BITS = 10
"""Most bits of a digit: 8 sort 20 M records a second, 10 sort 24 M, 12 sort 16 M, of 4 M hashes."""


@kernel
def sort_records(records: NDArray[np.uint64]) -> None:
    """Sort records, shape (n, 2), in place: by the first number, then by the second."""
    counts = np.empty(1 << DIGIT_BITS, np.int64)
    ends = np.empty(1 << DIGIT_BITS, np.int64)
    # A level cuts at least one bit of 128 off, and a bucket's siblings wait while it is sorted.
    waiting = np.empty((128 << DIGIT_BITS, 2), np.int64)
    waiting[0, 0] = 0
    waiting[0, 1] = records.shape[0]
    depth = 1
    while depth:
        depth -= 1
        start = waiting[depth, 0]
        end = waiting[depth, 1]
        if end - start <= FEW:
            _insert(records, start, end)
            continue
        column = 0
        highest = _highest_difference(records, start, end, 0)
        if highest < 0:
            column = 1
            highest = _highest_difference(records, start, end, 1)
        if highest < 0:
            continue
        # A bucket for 8 records or so, and never more bits than are left.
        bits = 1
        while bits < DIGIT_BITS and (end - start) >> (bits + 3):
            bits += 1
        bits = min(bits, highest + 1)
        shift = np.uint64(highest + 1 - bits)
        mask = np.uint64((1 << bits) - 1)
        size = 1 << bits
        counts[:size] = 0
        for row in range(start, end):
            counts[np.int64(records[row, column] >> shift & mask)] += 1
        place = start
        for digit in range(size):
            count = counts[digit]
            counts[digit] = place
            place += count
            ends[digit] = place
            if count > 1:
                waiting[depth, 0] = place - count
                waiting[depth, 1] = place
                depth += 1
        _permute(records, counts, ends, size, column, shift, mask)


@kernel
def _permute(
    records: NDArray[np.uint64],
    heads: NDArray[np.int64],
    ends: NDArray[np.int64],
    size: int,
    column: int,
    shift: np.uint64,
    mask: np.uint64,
) -> None:
    for digit in range(size):
        while heads[digit] < ends[digit]:
            row = heads[digit]
            first = records[row, 0]
            second = records[row, 1]
            goes = np.int64((first if column == 0 else second) >> shift & mask)
            while goes != digit:
                target = heads[goes]
                heads[goes] = target + 1
                other_first = records[target, 0]
                other_second = records[target, 1]
                records[target, 0] = first
                records[target, 1] = second
                first = other_first
                second = other_second
                goes = np.int64((first if column == 0 else second) >> shift & mask)
            records[row, 0] = first
            records[row, 1] = second
            heads[digit] = row + 1


@kernel
def _highest_difference(records: NDArray[np.uint64], start: int, end: int, column: int) -> int:
    # The highest bit in which any two of the records differ, -1 where none does.
    first = records[start, column]
    different = np.uint64(0)
    for row in range(start, end):
        different |= records[row, column] ^ first
    highest = -1
    while different:
        different >>= np.uint64(1)
        highest += 1
    return highest


@kernel
def _insert(records: NDArray[np.uint64], start: int, end: int) -> None:
    for row in range(start + 1, end):
        first = records[row, 0]
        second = records[row, 1]
        place = row
        while place > start and (
            records[place - 1, 0] > first or (records[place - 1, 0] == first and records[place - 1, 1] > second)
        ):
            records[place, 0] = records[place - 1, 0]
            records[place, 1] = records[place - 1, 1]
            place -= 1
        records[place, 0] = first
        records[place, 1] = second
