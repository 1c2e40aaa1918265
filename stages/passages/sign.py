"""The passages of texts and their keys: a passage is a window of units, a unit a line, a paragraph or a sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.kernels.hashing import fold
from lauter.stages.kernels.lines import characters, line_spans
from lauter.stages.kernels.sentences import sentence_spans
from lauter.stages.kernels.words import FOLD_DIGITS, hash_words, word_hashes

LINE = 0
PARAGRAPH = 1
SENTENCE = 2
"""What a unit is: `kernels.lines` and `kernels.sentences` say what they are."""


@kernel
def paragraph_spans(data: NDArray[np.uint8], start: Integer, end: Integer) -> NDArray[np.int64]:
    """Byte ranges of the paragraphs of `data[start:end]`, shape (paragraphs, 2): first to last line of each."""
    lines, paragraphs = line_spans(data, start, end)
    count = paragraphs[-1] + 1 if len(paragraphs) else 0
    spans = np.empty((count, 2), np.int64)
    for index in range(len(lines)):
        if not index or paragraphs[index] != paragraphs[index - 1]:
            spans[paragraphs[index], 0] = lines[index, 0]
        spans[paragraphs[index], 1] = lines[index, 1]
    return spans


@kernel
def unit_spans(data: NDArray[np.uint8], start: Integer, end: Integer, unit: int) -> NDArray[np.int64]:
    """Byte ranges of the units of `data[start:end]`, shape (units, 2), in order and without overlap."""
    if unit == LINE:
        return line_spans(data, start, end)[0]
    if unit == PARAGRAPH:
        return paragraph_spans(data, start, end)
    return sentence_spans(data, start, end)


@kernel
def unit_key(data: NDArray[np.uint8], start: Integer, end: Integer, flags: int) -> tuple[np.uint64, int]:
    """The key of a unit and its number of words; equal words in equal order, folded by `flags`, make equal keys.

    Words and flags are those of `words.hash_words`; their hashes are folded one into the next (`hashing.fold`), from 0.
    Where digits are to be folded and more than half of the words are numbers, they are not: in a row of a table the
    numbers are the content.
    """
    words, numbers = hash_words(data, start, end, flags)
    if 2 * numbers > len(words):
        words = word_hashes(data, start, end, flags & ~FOLD_DIGITS)
    state = np.uint64(0)
    for word in words:
        state = fold(state, word)
    return state, len(words)


@kernel
def sign(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], unit: int, window: int, min_words: int, flags: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Row, start and end, shape (m, 3), and key, shape (m,), of every passage of n texts.

    `offsets` has shape (n + 1,). A unit without a word is none; a passage is `window` units in a row, and there is one
    for each unit that has enough of them behind it. One with fewer than `min_words` words is left out. Positions are
    code points of the text.
    """
    places = np.empty((16, 3), np.int64)
    keys = np.empty(16, np.uint64)
    count = 0
    for row in range(len(offsets) - 1):
        spans = unit_spans(data, offsets[row], offsets[row + 1], unit)
        if len(spans) < window:
            continue
        own = np.empty(len(spans), np.uint64)
        words = np.empty(len(spans), np.int64)
        units = 0
        at, point = offsets[row], 0
        for index in range(len(spans)):
            key, size = unit_key(data, spans[index, 0], spans[index, 1], flags)
            if not size:
                continue
            begin = point + characters(data, at, spans[index, 0])
            point = begin + characters(data, spans[index, 0], spans[index, 1])
            at = spans[index, 1]
            spans[units, 0], spans[units, 1] = begin, point
            own[units], words[units] = key, size
            units += 1
        for first in range(units - window + 1):
            size = 0
            state = own[first]
            for index in range(first, first + window):
                size += words[index]
                if index > first:
                    state = fold(state, own[index])
            if size < min_words:
                continue
            if count == len(keys):
                wider = np.empty((2 * count, 3), np.int64)
                wider[:count] = places
                places = wider
                longer = np.empty(2 * count, np.uint64)
                longer[:count] = keys
                keys = longer
            places[count, 0] = row
            places[count, 1] = spans[first, 0]
            places[count, 2] = spans[first + window - 1, 1]
            keys[count] = state
            count += 1
    return places[:count], keys[:count]
