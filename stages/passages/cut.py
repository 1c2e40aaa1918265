"""What is cut for repeated passages: their ranges joined, and the white space at the seams.

Of the white space on both sides of a cut one side stays: the one with more line breaks, else the right one, so that a
line keeps its indentation, else the one that there is. At the start and the end of a text none does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import WHITE_SPACE, Integer, character_class, decode
from lauter.stages.kernels.lines import characters, previous
from lauter.stages.kernels.words import DROP_PUNCTUATION, word_hashes

_NEWLINE = 0x0A


@kernel
def byte_of(data: NDArray[np.uint8], position: Integer, end: Integer, points: Integer) -> Integer:
    """The byte that is `points` code points behind the one at `position`, or `end`."""
    while position < end:
        if data[position] & 0xC0 != 0x80:
            if not points:
                break
            points -= 1
        position += 1
    return position


@kernel
def white_right(data: NDArray[np.uint8], position: Integer, end: Integer) -> Integer:
    """Where the white space that begins at `position` ends."""
    while position < end:
        code, width = decode(data, position, end)
        if not character_class(code) & WHITE_SPACE:
            break
        position += width
    return position


@kernel
def white_left(data: NDArray[np.uint8], start: Integer, position: Integer) -> Integer:
    """Where the white space that ends at `position` begins."""
    while position > start:
        first = previous(data, start, position)
        code, _ = decode(data, first, position)
        if not character_class(code) & WHITE_SPACE:
            break
        position = first
    return position


@kernel
def newlines(data: NDArray[np.uint8], start: Integer, end: Integer) -> int:
    """Line breaks in `data[start:end]`."""
    count = 0
    for index in range(start, end):
        count += data[index] == _NEWLINE
    return count


@kernel
def with_seams(
    data: NDArray[np.uint8], start: Integer, end: Integer, begin: Integer, stop: Integer
) -> tuple[Integer, Integer]:
    """The cut `data[begin:stop]` of the text `data[start:end]` with the white space that goes with it."""
    left = white_left(data, start, begin)
    right = white_right(data, stop, end)
    if left == start:
        return start, right
    if right == end:
        return left, end
    more = newlines(data, stop, right) - newlines(data, left, begin)
    if left < begin and (more > 0 or (not more and right > stop)):
        return left, stop
    if left == begin:
        return begin, stop
    return begin, right


@kernel
def words_of(data: NDArray[np.uint8], start: Integer, end: Integer) -> int:
    """Words of `data[start:end]` that are more than punctuation."""
    return len(word_hashes(data, start, end, DROP_PUNCTUATION))


@kernel
def cut(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    min_left: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Row, start and end of what is cut, shape (k, 3), and which of n texts go as a whole, shape (n,).

    `offsets` has shape (n + 1,); `row`, `first` and `last`, shape (m,): passages in order of row and start, in code
    points. Passages that overlap, or have white space alone between them, are one cut. A text that is cut goes as a
    whole where fewer than `min_left` words are left.
    """
    cuts = np.empty((len(row), 3), np.int64)
    dropped = np.zeros(len(offsets) - 1, np.bool_)
    count = 0
    passage = 0
    while passage < len(row):
        text = row[passage]
        start, end = offsets[text], offsets[text + 1]
        at, point = start, 0
        reach = start
        left = 0
        own = count
        while passage < len(row) and row[passage] == text:
            begin = byte_of(data, at, end, first[passage] - point)
            stop, stopped = begin, first[passage]
            # Joined with what follows as long as nothing but white space lies between.
            at, point = begin, first[passage]
            while passage < len(row) and row[passage] == text:
                after = white_right(data, stop, end)
                behind = stopped + characters(data, stop, after)
                if first[passage] > behind and stop > begin:
                    break
                if last[passage] > stopped:
                    stop = byte_of(data, stop, end, last[passage] - stopped)
                    stopped = last[passage]
                passage += 1
            left += words_of(data, reach, begin)
            reach = stop
            low, high = with_seams(data, start, end, begin, stop)
            cuts[count, 0] = text
            cuts[count, 1] = point - characters(data, low, begin)
            cuts[count, 2] = stopped + characters(data, stop, high)
            count += 1
            at, point = stop, stopped
        left += words_of(data, reach, end)
        whole = count == own + 1 and not cuts[own, 1] and cuts[own, 2] == characters(data, start, end)
        dropped[text] = left < min_left or whole
    return cuts[:count], dropped
