"""The second look at a page: what the first said of the blocks near each, and of those in the same elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.blocks.cutting import PARENT, Blocks
from lauter.stages.extract.blocks.features import Surroundings
from lauter.stages.extract.blocks.text_run import CHARS, ELEMENT

CONTEXT = 21
"""Columns that the second look has beyond the first."""
_NOTHING = -30_000
"""Stands for the score of a block that is not there."""
_DECAY = 0.7
_LEVELS = 4
_LEAST_CHARS = 20
"""Shorter blocks are not where the main text begins or ends."""


def context(scores: NDArray[np.int32], blocks: Blocks, surroundings: Surroundings) -> NDArray[np.float32]:
    """The columns of each block, (blocks, CONTEXT), from the scores (blocks,) of the first look."""
    return _context(scores, blocks.rows, blocks.elements, *surroundings)


@kernel
def _context(
    scores: NDArray[np.int32],
    rows: NDArray[np.int32],
    elements: NDArray[np.int32],
    group: NDArray[np.int32],
    wider: NDArray[np.int32],
    count: NDArray[np.int32],
) -> NDArray[np.float32]:
    blocks, size = len(scores), len(elements)
    out = np.zeros((blocks, CONTEXT), np.float32)
    # Sums of scores by characters: of elements, of groups, and up to each block. Integers, so exact in 64 bits.
    held, chars = np.zeros(size, np.int64), np.zeros(size, np.int64)
    groups = group.max() + 1 if blocks > 0 else 0
    alike, alike_chars = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    up_to, up_to_chars = np.zeros(blocks + 1, np.int64), np.zeros(blocks + 1, np.int64)
    kept = np.int64(0)
    first, last, highest = blocks, -1, np.int64(_NOTHING)
    for block in range(blocks):
        length = np.int64(rows[block, CHARS])
        score = np.int64(scores[block])
        element = rows[block, ELEMENT]
        held[element] += score * length
        chars[element] += length
        alike[group[block]] += score * length
        alike_chars[group[block]] += length
        up_to[block + 1], up_to_chars[block + 1] = up_to[block] + score * length, up_to_chars[block] + length
        highest = max(highest, score)
        if score > 0:
            kept += length
            if length >= _LEAST_CHARS:
                first, last = min(first, block), block
    for element in range(size - 1, 0, -1):
        held[elements[element, PARENT]] += held[element]
        chars[elements[element, PARENT]] += chars[element]
    forward = backward = 0.0
    for block in range(blocks):
        line = out[block]
        line[0] = scores[block]
        at = 1
        for step in (-3, -2, -1, 1, 2, 3):
            line[at] = scores[block + step] if 0 <= block + step < blocks else _NOTHING
            at += 1
        element = rows[block, ELEMENT]
        holder = element if count[element] > 1 else wider[element]
        for _ in range(_LEVELS):
            line[at] = held[holder] / max(chars[holder], 1)
            at += 1
            holder = wider[holder]
        line[11] = alike[group[block]] / max(alike_chars[group[block]], 1)
        line[12], line[13] = kept / max(chars[0], 1), kept
        line[14], line[15], line[16] = highest - scores[block], block - first, last - block
        at = 17
        for reach in (4, 10):
            low, high = max(block - reach, 0), min(block + reach + 1, blocks)
            line[at] = (up_to[high] - up_to[low]) / max(up_to_chars[high] - up_to_chars[low], 1)
            at += 1
        forward = forward * _DECAY + scores[block]
        line[19] = forward
    for block in range(blocks - 1, -1, -1):
        backward = backward * _DECAY + scores[block]
        out[block, 20] = backward
    return out
