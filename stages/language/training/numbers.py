"""Random numbers that are a function of a key and a place: the same on every machine, in any order of asking.

SplitMix64 (G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): the state after
n steps is the key plus n times a constant, so each number can be had alone.
"""

from __future__ import annotations

import math
import zlib
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

TABLE = 1024
"""Places of a table of lengths."""


@kernel
def number(key: np.uint64, place: Integer) -> np.uint64:
    """Number `place` of the sequence of `key`: 64 random bits."""
    state = key + np.uint64(place + 1) * _STEP
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


def key_of(seed: int, purpose: str, *places: int) -> np.uint64:
    """The key of a sequence of its own, for one purpose at one place: no two parts of a training share numbers."""
    key = np.uint64(zlib.crc32(purpose.encode()))
    for place in (seed, *places):
        key = np.uint64(number(key, place))
    return key


@kernel
def below(bits: np.uint64, limit: Integer) -> int:
    """A whole number from 0 to `limit` - 1 out of 64 random bits; `limit` is below 2^31.

    D. Lemire, Fast Random Integer Generation in an Interval, arXiv:1805.10941, without its last step: the bias is
    below 2^-32 for each number.
    """
    return int(((bits >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@kernel
def shuffle(values: NDArray[np.int64], key: np.uint64) -> None:
    """Bring `values` in a random order (R. Durstenfeld, CACM 7, 1964, algorithm 235)."""
    for last in range(values.size - 1, 0, -1):
        other = below(number(key, last), last + 1)
        values[last], values[other] = values[other], values[last]


def length_table(median: float, spread: float, least: int, most: int) -> NDArray[np.int64]:
    """Lengths in equal shares of a log-normal distribution, shape (1024,), cut to `least` and `most`."""
    normal = NormalDist()
    lengths = (round(median * math.exp(spread * normal.inv_cdf((place + 0.5) / TABLE))) for place in range(TABLE))
    return np.array([min(most, max(least, length)) for length in lengths], np.int64)
