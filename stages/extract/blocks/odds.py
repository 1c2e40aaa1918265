"""How much more often a word stands at main text than elsewhere: a table from hashes to hundredths of log-odds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel


class Odds(NamedTuple):
    """An open-addressed table: a key stands at its low bits or in the next free place; 0 is no key."""

    keys: NDArray[np.uint64]
    values: NDArray[np.int32]


def table(keys: NDArray[np.uint64], values: NDArray[np.int32]) -> Odds:
    """The table of distinct keys other than 0, at most half full."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    found = Odds(np.zeros(size, np.uint64), np.zeros(size, np.int32))
    for key, value in zip(keys.tolist(), values.tolist(), strict=True):
        place = key & (size - 1)
        while found.keys[place]:
            place = (place + 1) & (size - 1)
        found.keys[place], found.values[place] = key, value
    return found


@kernel
def look_up(keys: NDArray[np.uint64], values: NDArray[np.int32], key: np.uint64) -> int:
    """The value of a key, 0 if there is none."""
    last = len(keys) - 1
    place = np.int64(key & np.uint64(last))
    while keys[place] != 0:
        if keys[place] == key:
            return int(values[place])
        place = (place + 1) & last
    return 0
