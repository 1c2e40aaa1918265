"""64-bit keys of texts: the exact hash of a document, and how hashes are folded into one key.

A key is 64 bits, because the exchange moves and sorts it a few hundred billion times. Two different inputs share a key
with probability 2**-64, so among n keys about n**2 / 2**65 pairs meet by chance: 24 for the exact keys of 3e10
documents, 5,500 for 15 keys of each, one document in five million. A second exact key would help only if a pair had to
share both, that is with 128-bit keys all through the exchange; it is left out, because the banded keys join far more
unlike pairs than that by design. XXH3 is no cryptographic hash: a pair that is made to collide will collide.
"""

from __future__ import annotations

import numpy as np
import xxhash
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import WHITE_SPACE, character_class, decode
from lauter.stages.kernels.words import TextBuffers, finish_hash

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio, made odd: the increment of SplitMix64 (Steele, Lea and Flood 2014, section 4)."""
_LOW_HALF = (1 << 64) - 1
_SPACE = np.uint8(32)


def random_sequence(seed: int, count: int) -> NDArray[np.uint64]:
    """The first `count` numbers of SplitMix64 with MurmurHash3's finaliser: finish(seed + GOLDEN * (1, 2, …)).

    Fully specified, so that a signature made today can be compared with one made in years by other software.
    """
    state = np.uint64(seed & _LOW_HALF) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53), (33, 1)):
        state = (state ^ state >> np.uint64(shift)) * np.uint64(factor)
    return state


@kernel
def fold(state: np.uint64, value: np.uint64) -> np.uint64:
    """Fold a value into a running 64-bit hash; a bijection of either argument while the other is fixed."""
    return finish_hash((state * GOLDEN + GOLDEN) ^ value)


@kernel
def salted_keys(hashes: NDArray[np.uint64], salts: NDArray[np.uint64], kind: int) -> NDArray[np.uint64]:
    """Keys of shape (n,) from hashes of one kind: fold(fold(salt, kind), hash)."""
    keys = np.empty_like(hashes)
    for row in range(hashes.size):
        keys[row] = fold(fold(salts[row], np.uint64(kind)), hashes[row])
    return keys


@kernel
def squeeze(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], squeezed: NDArray[np.uint8], bounds: NDArray[np.int64]
) -> None:
    """Copy each text with every run of Unicode white space as one space, and none at its ends.

    Text i is written to `squeezed[bounds[i]:bounds[i + 1]]`; `squeezed` has room for one byte more than all
    texts have, and `bounds` has the shape of `offsets`.
    """
    size = 0
    bounds[0] = 0
    for row in range(offsets.size - 1):
        start = size
        position = offsets[row]
        end = offsets[row + 1]
        last_white = True
        while position < end:
            lead = data[position]
            white = lead == 32 or 9 <= lead <= 13
            width = 1
            if lead == 0xC2 or 0xE1 <= lead <= 0xE3:
                # Only these lead bytes begin a white space character above U+007F.
                code, taken = decode(data, position, end)
                if character_class(code) & WHITE_SPACE:
                    white = True
                    width = taken
            # Without branches: a space after a space is written and then overwritten.
            squeezed[size] = _SPACE if white else lead
            size += 1 - (white and last_white)
            last_white = white
            position += width
        if last_white and size > start:
            size -= 1
        bounds[row + 1] = size


def text_hashes(texts: TextBuffers) -> NDArray[np.uint64]:
    """The exact hash of each text, shape (n,): the low half of XXH3-128 of its bytes after `squeeze`.

    Two texts have the same hash if they differ in white space only; any other difference (case, punctuation, one
    digit) makes another hash.
    """
    count = texts.offsets.size - 1
    squeezed = np.empty(int(texts.offsets[-1] - texts.offsets[0]) + 1, np.uint8)
    bounds = np.empty(count + 1, np.int64)
    squeeze(texts.data, texts.offsets, squeezed, bounds)
    view = squeezed.data
    digests = (
        xxhash.xxh3_128_intdigest(view[start:end]) & _LOW_HALF
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    )
    return np.fromiter(digests, np.uint64, count)
