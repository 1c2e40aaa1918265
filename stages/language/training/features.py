"""Which features a line has: whole words that have a row, and n-grams of characters, as fastText takes them.

Features are those of Dictionary::getLine (fastText 0.9.2) for a line of `normaliser`: words between spaces, each
written `<word>`, with all n-grams of `minn` to `maxn` characters, hashed to buckets. Buckets without a row are left
out, as in a model that fastText has pruned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.training.held_out import WORDS, hash_words, word_hash
from lauter.stages.language.training.material import Material
from lauter.stages.language.training.recipe import Recipe

_SPACE, _OPEN, _CLOSE = 0x20, 0x3C, 0x3E
_SMALL_OFFSET, _SMALL_PRIME = np.uint32(2166136261), np.uint32(16777619)  # FNV-1a in 32 bits
_SIGN = np.uint32(0xFFFFFF00)  # fastText hashes bytes as signed ones


class Features(NamedTuple):
    """The features that have a row: words first, then buckets."""

    keys: NDArray[np.uint64]
    """Shape (a power of two,): hashes of the words, by open addressing; 0: free."""
    rows: NDArray[np.int32]
    """Same shape: the row of each."""
    words: int
    buckets: NDArray[np.int32]
    """Shape (buckets,): the row of each bucket, -1 for none."""
    minn: int
    maxn: int


class Chosen(NamedTuple):
    """The features, and the words among them."""

    features: Features
    names: tuple[bytes, ...]
    """The word of each row below `features.words`."""
    uses: NDArray[np.int64]
    """Shape (rows,): how often an epoch draws each, rounded up."""


def choose_features(material: Material, recipe: Recipe) -> Chosen:
    """The words and the buckets that an epoch draws most often.

    What is drawn is expected, not counted: a word of a list by its share of the list and the lines that are made of it.

    Raises:
        ValueError: There is no feature.
    """
    network, items = recipe.network, material.items
    drawn = _drawn(material, recipe.sampling.words_median)
    hashes = np.zeros(len(items.starts) - 1, np.uint64)
    hash_words(items.data, items.starts, hashes)
    of_lists = np.concatenate([np.zeros(0, np.int64), *_ranges(material, WORDS)])
    unique, first, place = np.unique(hashes[of_lists], return_index=True, return_inverse=True)
    uses = np.bincount(place, drawn[of_lists], len(unique))
    order = np.argsort(-uses, kind="stable")[: network.words]
    size = 1 << (2 * len(order)).bit_length()
    keys, rows = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    enter(unique[order], keys, rows)
    counted = np.zeros(network.buckets)
    count_buckets(items.data, items.starts, drawn, network.minn, network.maxn, counted)
    if not (counted.any() or len(order)):
        raise ValueError(
            f"no word of the data has {network.minn} characters, and no word has a row: lower network.minn"
        )
    room = min(max(recipe.quantisation.features - len(order), 1), network.buckets)
    kept = np.sort(np.argsort(-counted, kind="stable")[:room])
    buckets = np.full(network.buckets, -1, np.int32)
    buckets[kept] = len(order) + np.arange(len(kept), dtype=np.int32)
    chosen = of_lists[first[order]]
    names = tuple(items.data[items.starts[item] : items.starts[item + 1]].tobytes() for item in chosen)
    features = Features(keys, rows, len(order), buckets, network.minn, network.maxn)
    return Chosen(features, names, np.ceil(np.concatenate([uses[order], counted[kept]])).astype(np.int64))


def _ranges(material: Material, kind: int) -> list[NDArray[np.int64]]:
    items = material.items
    return [np.arange(items.first[source], items.last[source]) for source in np.flatnonzero(items.kinds == kind)]


def _drawn(material: Material, words: float) -> NDArray[np.float64]:
    """How often an epoch is expected to draw each item, shape (items,)."""
    items = material.items
    drawn = np.zeros(len(items.starts) - 1)
    for label, lines in enumerate(material.lines):
        before, whole = 0, items.shares[items.sources[label + 1] - 1]
        for source in range(items.sources[label], items.sources[label + 1]):
            span = slice(items.first[source], items.last[source])
            counts = np.diff(items.cumulative[span].astype(np.float64), prepend=0.0)
            share = (items.shares[source] - before) / whole * lines * (words if items.kinds[source] == WORDS else 1.0)
            drawn[span] = counts / counts.sum() * share
            before = items.shares[source]
    return drawn


@kernel
def enter(hashes: NDArray[np.uint64], keys: NDArray[np.uint64], rows: NDArray[np.int32]) -> None:
    """Enter hash i with row i into the table of `keys` and `rows`."""
    mask = keys.size - 1
    for row in range(hashes.size):
        slot = np.int64(hashes[row] >> np.uint64(20)) & mask
        while keys[slot] != 0:
            slot = (slot + 1) & mask
        keys[slot] = hashes[row]
        rows[slot] = row


@kernel
def find_features(
    data: NDArray[np.uint8], start: Integer, end: Integer, features: Features, found: NDArray[np.int32]
) -> int:
    """The rows of the features of the line `data[start:end]`.

    Args:
        data: Normalised lines.
        start: First byte of the line.
        end: The byte after it.
        features: Those that have a row.
        found: Filled; features beyond its size are left out.

    Returns:
        How many there are.
    """
    count = 0
    mask = features.keys.size - 1
    hashes = np.empty(features.maxn, np.uint32)
    at = start
    while at < end:
        stop = at
        while stop < end and data[stop] != _SPACE:
            stop += 1
        if stop > at:
            key = word_hash(data, at, stop)
            slot = np.int64(key >> np.uint64(20)) & mask
            while features.keys[slot] != 0 and features.keys[slot] != key:
                slot = (slot + 1) & mask
            if features.keys[slot] == key and count < found.size:
                found[count] = features.rows[slot]
                count += 1
            for begin in range(at - 1, stop + 1):
                if begin >= at and begin < stop and data[begin] & 0xC0 == 0x80:
                    continue
                length = hash_ngrams(data, at, stop, begin, hashes)
                for size in range(features.minn, length + 1):
                    if size == 1 and (begin < at or begin == stop):
                        continue  # a bracket alone
                    row = features.buckets[np.int64(hashes[size - 1]) % features.buckets.size]
                    if row >= 0 and count < found.size:
                        found[count] = row
                        count += 1
        at = stop + 1
    return count


@kernel
def hash_ngrams(
    data: NDArray[np.uint8], start: Integer, end: Integer, begin: Integer, hashes: NDArray[np.uint32]
) -> int:
    """Hashes of the n-grams of `<data[start:end]>` that begin at byte `begin`, where `start - 1` is the bracket.

    `hashes[i]` is filled with that of i + 1 characters. Returns how many there are.
    """
    state = _SMALL_OFFSET
    at, size = begin, 0
    while at <= end and size < hashes.size:
        more = True
        while more:
            byte = np.uint32(_OPEN if at < start else _CLOSE if at == end else data[at])
            if byte >= np.uint32(128):
                byte |= _SIGN
            state = np.uint32(np.uint32(state ^ byte) * _SMALL_PRIME)
            at += 1
            more = bool(at < end and at > start and data[at] & 0xC0 == 0x80)
        hashes[size] = state
        size += 1
    return size


@kernel
def count_buckets(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    drawn: NDArray[np.float64],
    minn: int,
    maxn: int,
    counted: NDArray[np.float64],
) -> None:
    """Add up how often each bucket is drawn.

    Args:
        data: Bytes of all items.
        starts: Shape (items + 1,).
        drawn: Shape (items,): how often each item is.
        minn: Characters of the shortest n-gram.
        maxn: Of the longest.
        counted: Shape (buckets,), added to.
    """
    hashes = np.empty(maxn, np.uint32)
    for item in range(drawn.size):
        at, end = starts[item], starts[item + 1]
        while at < end:
            stop = at
            while stop < end and data[stop] != _SPACE:
                stop += 1
            for begin in range(at - 1, stop + 1):
                if begin >= at and begin < stop and data[begin] & 0xC0 == 0x80:
                    continue
                length = hash_ngrams(data, at, stop, begin, hashes)
                for size in range(minn, length + 1):
                    if size > 1 or (begin >= at and begin < stop):
                        counted[np.int64(hashes[size - 1]) % counted.size] += drawn[item]
            at = stop + 1
