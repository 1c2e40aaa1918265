"""A document cut into windows the size of a post: a model trained on posts is asked about what it knows.

A window has at most 512 bytes and ends after a line break, else after white space, else between two characters; white
space is looked for in its second half. Windows follow one another without a gap, so they are ranges of the bytes that
are there already. Of a long document some are
judged, evenly spread, the first and the last among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer

WINDOW = 512
"""Bytes of a window. Posts of the training sets have 20 to 300."""

JUDGED = 16
"""Windows of a document that are judged: all of 8 KB. Of 4,715 web pages one in five is longer, and that saves 41 % of
all windows."""

_NEW_LINE, _SPACE = 0x0A, 0x20


@kernel
def cut_windows(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], bounds: NDArray[np.int64], counts: NDArray[np.int64]
) -> int:
    """Find the windows of all texts; returns how many there are.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        bounds: Room for `most_windows` of them and one; filled: window j is `data[bounds[j]:bounds[j + 1]]`.
        counts: Shape (n,): filled with the windows of each text; an empty text has one, which is empty.
    """
    total = 0
    bounds[0] = offsets[0]
    for text in range(offsets.size - 1):
        position, end = offsets[text], offsets[text + 1]
        count = 0
        while position < end or count == 0:
            stop = end
            if end - position > WINDOW:
                stop = position + WINDOW
                line: Integer = 0
                space: Integer = 0
                for place in range(position + WINDOW // 2, position + WINDOW):
                    if data[place] == _NEW_LINE:
                        line = place + 1
                    elif data[place] == _SPACE:
                        space = place + 1
                if line:
                    stop = line
                elif space:
                    stop = space
                else:
                    while stop > position + WINDOW // 2 and data[stop] & 0xC0 == 0x80:
                        stop -= 1
            total += 1
            count += 1
            bounds[total] = stop
            position = stop
        counts[text] = count
    return total


def most_windows(offsets: NDArray[np.int64]) -> int:
    """The most windows that texts can have: each but a text's last has more than half a window's bytes."""
    sizes = np.diff(offsets)
    return int((sizes // (WINDOW // 2) + 1).sum())


def chosen(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The windows to be judged, as places among all: those of a document, or `JUDGED` of them.

    Args:
        counts: Shape (n,): windows of each document, above 0.

    >>> chosen(np.array([2, 1])).tolist()
    [0, 1, 2]
    >>> chosen(np.array([46])).tolist()[:4]
    [0, 3, 6, 9]
    """
    judged = np.minimum(counts, JUDGED)
    of_text = np.repeat(np.arange(len(counts)), judged)
    number = np.arange(len(of_text)) - (np.cumsum(judged) - judged)[of_text]
    spread = number * (counts - 1)[of_text] // np.maximum(judged - 1, 1)[of_text]
    places: NDArray[np.int64] = (np.cumsum(counts) - counts)[of_text] + spread
    return places
