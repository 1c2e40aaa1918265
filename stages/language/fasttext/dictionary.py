"""Looking up words in a model's dictionary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.fasttext.read import Words


@kernel
def find(words: Words, data: NDArray[np.uint8], start: Integer, end: Integer, state: np.uint64) -> int:
    """The entry of the word `data[start:end]` with hash `state`, -1 where the dictionary does not have it."""
    mask = words.slots.size - 1
    slot = np.int64(state) & mask
    while words.slots[slot] >= 0:
        entry = int(words.slots[slot])
        if equal(words.data, words.starts[entry], words.lengths[entry], data, start, end - start):
            return entry
        slot = (slot + 1) & mask
    return -1


@kernel
def equal(
    one: NDArray[np.uint8], start: Integer, size: Integer, other: NDArray[np.uint8], begin: Integer, length: Integer
) -> bool:
    """Whether `one[start:start + size]` and `other[begin:begin + length]` are the same bytes."""
    if size != length:
        return False
    for at in range(size):  # noqa: SIM110 - a generator is nothing for a kernel
        if one[start + at] != other[begin + at]:
            return False
    return True
