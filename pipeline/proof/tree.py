"""The shape of the ledger's Merkle tree, and what every hash in it is made of.

The space of keys is cut in `ranges` equal ranges, a power of two that depends on the number of rows alone. Each range
has a tree of its own over its leaves in order of (key, leaf), between two sentinel leaves: the first and the last key
of the range, with an empty row text. So a key that is absent always lies between two leaves of one range, and ranges
are built independently of each other. The trees are those of RFC 6962 section 2.1: a lone last node rises as it is.

    leaf        = SHA-256(0x00 || key || row text)                                              RFC 6962 section 2.1
    node        = SHA-256(0x01 || left || right)                                                RFC 6962 section 2.1
    range       = SHA-256(0x03 || ranges, 4 bytes || number, 4 bytes || leaves, 8 bytes || root of the range's tree)
    ledger root = root of the tree over all ranges

Numbers are big-endian. `leaves` counts the sentinels. A range's hash commits to its number of leaves, so that a prover
cannot lie about which leaves are neighbours. 0x02 and 0x04 are those of `proof.chain`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.proof.leaves import DIGEST_BYTES, LEAF, Digests

NODE, RANGE = b"\x01", b"\x03"

MIN_RANGES = 256
RANGE_ROWS = 1 << 18
"""Rows of a range that are aimed at, at most: 17 MB of leaves."""

GROUP_ROWS = 1 << 20
"""Rows of the ranges that one task builds, at most: 71 MB of leaves."""


class Shape(NamedTuple):
    """How a ledger is cut. The groups of ranges are the work of a task; no hash depends on them."""

    ranges: int
    groups: int


def shape_of(rows: int) -> Shape:
    """Into how many ranges, and groups of neighbouring ranges, a ledger of so many rows is cut.

    >>> [tuple(shape_of(rows)) for rows in (0, 67_108_864, 67_108_865, 30_000_000_000)]
    [(256, 1), (256, 64), (512, 128), (131072, 32768)]
    """
    ranges, groups = MIN_RANGES, 1
    while ranges * RANGE_ROWS < rows:
        ranges *= 2
    while groups * GROUP_ROWS < rows:
        groups *= 2
    return Shape(ranges, groups)


def range_of(key: bytes, ranges: int) -> int:
    """The range that a key lies in: its first bits."""
    return int.from_bytes(key, "big") * ranges >> 8 * DIGEST_BYTES


def bounds(number: int, ranges: int) -> tuple[bytes, bytes]:
    """The first and the last key of a range: the keys of its sentinels."""
    width = (1 << 8 * DIGEST_BYTES) // ranges
    return (
        (number * width).to_bytes(DIGEST_BYTES, "big"),
        ((number + 1) * width - 1).to_bytes(DIGEST_BYTES, "big"),
    )


def leaf_hash(key: bytes, text: bytes) -> bytes:
    """The leaf of a key and a row text; a sentinel's text is empty."""
    return hashlib.sha256(LEAF + key + text).digest()


@dataclass(frozen=True, slots=True)
class Range:
    """One range's tree: its number of leaves, the two sentinels among them, and its root."""

    leaves: int
    root: bytes

    def digest(self, number: int, ranges: int) -> bytes:
        """What the top tree has for this range."""
        return hashlib.sha256(RANGE + struct.pack(">IIQ", ranges, number, self.leaves) + self.root).digest()


@dataclass(frozen=True)
class LedgerTree:
    """All ranges of a ledger, in order."""

    ranges: tuple[Range, ...]

    @property
    def rows(self) -> int:
        """Ledger rows in the tree."""
        return sum(item.leaves - 2 for item in self.ranges)

    @cached_property
    def root(self) -> bytes:
        """The ledger root, 32 bytes."""
        return tree_root(self.digests())

    def digests(self) -> Digests:
        """The leaves of the top tree, shape (ranges, 32)."""
        found = b"".join(item.digest(number, len(self.ranges)) for number, item in enumerate(self.ranges))
        return np.frombuffer(found, np.uint8).reshape(-1, DIGEST_BYTES)


def with_sentinels(leaves: Digests, number: int, ranges: int) -> Digests:
    """The leaves of a range between its sentinels."""
    low, high = (np.frombuffer(leaf_hash(key, b""), np.uint8).reshape(1, -1) for key in bounds(number, ranges))
    return np.concatenate([low, leaves, high])


def tree_root(leaves: Digests) -> bytes:
    """The Merkle tree hash of at least one leaf, shape (n, 32)."""
    while len(leaves) > 1:
        leaves = _parents(leaves)
    return leaves.tobytes()


def tree_paths(leaves: Digests, chosen: Sequence[int]) -> tuple[bytes, list[list[bytes]]]:
    """The root, and for each chosen leaf the siblings on its way there, lowest first (RFC 6962 section 2.1.1)."""
    paths: list[list[bytes]] = [[] for _ in chosen]
    places = list(chosen)
    while len(leaves) > 1:
        for path, place in zip(paths, places, strict=True):
            if place ^ 1 < len(leaves):
                path.append(leaves[place ^ 1].tobytes())
        places = [place >> 1 for place in places]
        leaves = _parents(leaves)
    return leaves.tobytes(), paths


def _parents(level: Digests) -> Digests:
    pairs = len(level) // 2
    width = 1 + 2 * DIGEST_BYTES
    messages = np.empty((pairs, width), np.uint8)
    messages[:, 0] = NODE[0]
    messages[:, 1:] = level[: 2 * pairs].reshape(pairs, 2 * DIGEST_BYTES)
    view, sha256 = messages.reshape(-1).data, hashlib.sha256
    starts = range(0, pairs * width, width)
    digests = b"".join([sha256(view[start : start + width]).digest() for start in starts])
    return np.concatenate([np.frombuffer(digests, np.uint8).reshape(pairs, DIGEST_BYTES), level[2 * pairs :]])


def sorted_order(keys: Digests, leaves: Digests) -> NDArray[np.int64]:
    """The order of rows by (key, leaf), both as bytes: it does not depend on where rows came from."""
    first = words(keys[:, :8])[:, 0]
    order = np.argsort(first, kind="stable")
    # Only rows of one URL share the first 64 bits of a key, but for chance: they alone are compared in full.
    same = first[order][1:] == first[order][:-1]
    places = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    tied = order[places]
    both = np.concatenate([words(keys[tied]), words(leaves[tied])], axis=1)
    order[places] = tied[np.lexsort(both.T[::-1])]
    return order


def words(digests: Digests) -> NDArray[np.uint64]:
    """Bytes, shape (n, 8 m), as big-endian numbers of 64 bits, shape (n, m)."""
    return np.ascontiguousarray(digests).view(">u8").astype(np.uint64)
