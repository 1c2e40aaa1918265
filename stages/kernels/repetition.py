"""How much of a text repeats: elements (lines, paragraphs) that come again, and n-grams of words.

All functions work on 64-bit hashes of the elements, so that equal means equal hash: among 1e6 n-grams of one document
two different ones meet with probability 3e-8.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

TOP_ORDERS = 3
"""Orders 2, 3 and 4, of which the most frequent n-gram is measured."""
DUPLICATE_ORDERS = 6
"""Orders 5 to 10, of which all repeated n-grams are measured (MassiveText, arXiv 2112.11446, table A1)."""
_FIRST_DUPLICATE = 2 + TOP_ORDERS
_LAST = 1 + TOP_ORDERS + DUPLICATE_ORDERS

_CHAIN = np.uint64(0x9E3779B97F4A7C15)
"""The odd number next to 2**64 / golden ratio; multiplies the hash of an n-gram before its next word is added."""


@kernel
def group(keys: NDArray[np.uint64], groups: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """Number the distinct `keys` in order of first appearance; returns how many there are.

    Writes the number of each key into `groups` and the size of each group into `counts`; both have at least as many
    elements as `keys`. Open addressing with linear probing in a table at most half full.
    """
    bits = 2
    while 1 << bits < 2 * len(keys):
        bits += 1
    table = np.zeros(1 << bits, np.int32)
    names = np.empty(len(keys), np.uint64)
    mask = (1 << bits) - 1
    shift = np.uint64(64 - bits)
    distinct = 0
    for index in range(len(keys)):
        key = keys[index]
        slot = np.int64((key * _CHAIN) >> shift)
        while table[slot] and names[table[slot] - 1] != key:
            slot = (slot + 1) & mask
        if not table[slot]:
            names[distinct] = key
            counts[distinct] = 0
            distinct += 1
            table[slot] = distinct
        number = table[slot] - 1
        groups[index] = number
        counts[number] += 1
    return distinct


@kernel
def repeats(keys: NDArray[np.uint64], sizes: NDArray[np.int64]) -> tuple[int, int]:
    """Of elements with hashes `keys`: how many have come before, and the sum of their `sizes`."""
    groups = np.empty(len(keys), np.int64)
    counts = np.empty(len(keys), np.int64)
    distinct = group(keys, groups, counts)
    size = 0
    seen = 0
    for index in range(len(keys)):
        if groups[index] == seen:
            seen += 1
        else:
            size += sizes[index]
    return len(keys) - distinct, size


@kernel
def ngram_repetition(
    keys: NDArray[np.uint64], sizes: NDArray[np.int64], stride: int, space: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Characters in repeated n-grams of a sequence of words with hashes `keys` and `sizes` in code points.

    One step of an n-gram is `stride` words: 1 where a word is a word, more where a word is one letter of a script
    without spaces. `space` characters stand between two steps.

    Returns, for n = 2, 3, 4, the size of the most frequent n-gram (with its spaces; among equals, the first) times how
    often it occurs; and for n = 5 … 10 the size (without spaces) of all n-grams met before, in one walk that steps over
    each repeated n-gram it counts. Zero where there are fewer than n steps.

    An n-gram can occur twice only if the (n-1)-gram at the same place does, so each order looks at the places that the
    order before has left: on real pages one in three for n = 3, one in six for n = 5.
    """
    top = np.zeros(TOP_ORDERS, np.int64)
    duplicate = np.zeros(DUPLICATE_ORDERS, np.int64)
    units = len(keys) - stride + 1
    if units < 1:
        return top, duplicate
    before = np.zeros(len(keys) + 1, np.int64)
    for index in range(len(keys)):
        before[index + 1] = before[index] + sizes[index]
    unit = np.empty(units, np.uint64)
    # An n-gram's hash is the polynomial of its words in _CHAIN, so a step moves what stands before by _CHAIN**stride.
    chain = np.uint64(1)
    for _ in range(stride):
        chain *= _CHAIN
    for index in range(units):
        state = keys[index]
        for step in range(1, stride):
            state = state * _CHAIN + keys[index + step]
        unit[index] = state
    state_of = unit.copy()
    places = np.arange(units)
    groups = np.empty(units, np.int64)
    counts = np.empty(units, np.int64)
    live = units
    for order in range(1, _LAST + 1):
        reach = order * stride
        if reach > len(keys):
            break
        if order > 1:
            kept = 0
            for index in range(live):
                last = places[index] + reach - stride
                if last < units:
                    places[kept] = places[index]
                    state_of[kept] = state_of[index] * chain + unit[last]
                    kept += 1
            live = kept
        group(state_of[:live], groups, counts)
        if 1 < order < _FIRST_DUPLICATE:
            best, place = 1, 0
            for index in range(live):
                if counts[groups[index]] > best:
                    best, place = counts[groups[index]], places[index]
            top[order - 2] = best * (before[place + reach] - before[place] + space * (order - 1))
        kept = 0
        for index in range(live):
            if counts[groups[index]] > 1:
                places[kept] = places[index]
                state_of[kept] = state_of[index]
                groups[kept] = groups[index]
                kept += 1
        live = kept
        if order >= _FIRST_DUPLICATE:
            free = 0
            for index in range(live):
                place = places[index]
                if place < free:
                    continue
                if counts[groups[index]] < 0:
                    duplicate[order - _FIRST_DUPLICATE] += before[place + reach] - before[place]
                    free = place + reach
                else:
                    # A negative count marks an n-gram that the walk has met.
                    counts[groups[index]] = -1
    return top, duplicate
