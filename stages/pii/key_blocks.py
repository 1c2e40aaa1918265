"""Where private keys in text form may stand: a search for three words, without a kernel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 13
"""A private key between lines that say so; the four kinds before it are those of `marks`."""
BLOCK_BYTES = 16_384
"""The longest that is looked for: an RSA key of 8,192 bits has 6,400 characters (RFC 7468, section 10)."""
_BLOCK_NAME, _BLOCK_BEGIN, _BLOCK_HEAD = b"PRIVATE KEY", b"-----BEGIN ", 64


def blocks(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Iterator[tuple[int, int, int, int]]:
    """Private keys in text form: from the line that begins one on, as far as one may reach.

    A batch may be a slice: the buffer then holds the texts of other rows before and behind its own.
    """
    first = int(offsets[0])
    text = data[first : int(offsets[-1])].tobytes()
    place = text.find(_BLOCK_NAME)
    while place >= 0:
        begin = first + text.rfind(_BLOCK_BEGIN, max(0, place - _BLOCK_HEAD), place)
        row = int(np.searchsorted(offsets, first + place, side="right")) - 1
        if begin >= offsets[row]:
            yield BLOCK, row, begin, min(begin + BLOCK_BYTES, int(offsets[row + 1]))
        place = text.find(_BLOCK_NAME, place + len(_BLOCK_NAME))
