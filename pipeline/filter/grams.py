"""Grams of a text as keyed 64-bit hashes.

    hash = first 8 bytes, big-endian, of BLAKE2b(units joined by single spaces, UTF-8; digest of 8 bytes, key = salt)

BLAKE2b (RFC 7693) with a digest of 8 bytes, in every standard library, so that a deployer can match in any language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.filter.units import GAP, GRAM_WEIGHT, Units, UnitStream

HASH_BYTES = 8


class Grams:
    """The grams of units that come in portions."""

    def __init__(self) -> None:
        self.units = Units()
        """To be filled; what no further gram can hold is dropped."""
        self._next = 0
        """The first unit that was not looked at."""
        self._weight = 0
        """Of the units before it."""

    def take(self) -> Iterator[tuple[bytes, int, int]]:
        """(units as they are hashed, start, end) of each gram that ends in a new unit; [start, end) as in `Units`."""
        units, first, weight = self.units, 0, self._weight
        texts, weights, starts, ends = units.texts, units.weights, units.starts, units.ends
        for place in range(self._next, len(texts)):
            if texts[place] == GAP:
                first, weight = place + 1, 0
                continue
            weight += weights[place]
            while weight - weights[first] >= GRAM_WEIGHT:
                weight -= weights[first]
                first += 1
            if weight >= GRAM_WEIGHT:
                gram = " ".join(texts[first : place + 1])
                yield gram.encode("utf-8", "surrogatepass"), starts[first], ends[place]
        units.drop(first)
        self._next, self._weight = len(texts), weight

    @property
    def start(self) -> int | None:
        """Where the first unit stands that a further gram may hold; None without one."""
        return self.units.starts[0] if self.units.starts else None


def gram_hash(gram: bytes, salt: bytes) -> bytes:
    """The hash of a gram, 8 bytes."""
    return hashlib.blake2b(gram, digest_size=HASH_BYTES, key=salt).digest()


def hashes(text: str, salt: bytes) -> NDArray[np.uint64]:
    """The hashes of the grams of a text that are worth listing, sorted, each once, uint64.

    Those are not of which more than half is numbers: they are calendars and counters, and stand on many pages.
    """
    grams = Grams()
    UnitStream().feed(text, grams.units, final=True)
    found = {gram_hash(gram, salt) for gram in {gram for gram, _, _ in grams.take()} if _has_words(gram)}
    return np.unique(np.frombuffer(b"".join(found), ">u8").astype(np.uint64))


def _has_words(gram: bytes) -> bool:
    units = gram.decode("utf-8", "surrogatepass").split(" ")
    return 2 * sum(any(map(str.isalpha, unit)) for unit in units) >= len(units)
