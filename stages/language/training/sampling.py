"""Draws the lines of an epoch: parts of running text, and words of a list by their counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.training.held_out import TEXT
from lauter.stages.language.training.material import Items, Material
from lauter.stages.language.training.numbers import TABLE, below, key_of, length_table, number, shuffle
from lauter.stages.language.training.recipe import Sampling

_SPACE = 0x20
_KEPT_WORDS = 3
"""Words that a part of a line has at least, and of which only longer lines are cut."""
_MOST_WORDS = 60
_KEPT_CHARACTERS = 8
_MOST_CHARACTERS = 120
"""The same for scripts without spaces, in characters; and what a part has at most."""
_GLUED = 85
"""In such scripts, percent of the drawn lines that have no space between words."""
_LONGEST = 600
"""Bytes above which every line is cut that has words enough."""


class Drawn(NamedTuple):
    """Lines, and the label of each."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    """Shape (n + 1,): line i is `data[offsets[i]:offsets[i + 1]]`."""
    labels: NDArray[np.int64]
    """Shape (n,)."""


def epoch_order(material: Material, seed: int, epoch: int) -> NDArray[np.int64]:
    """The label of each line of an epoch, in the order of training: shape (lines,)."""
    order = np.repeat(np.arange(len(material.labels)), material.lines)
    shuffle(order, key_of(seed, "order", epoch))
    return order


def draw_lines(
    material: Material, sampling: Sampling, labels: NDArray[np.int64], seed: int, epoch: int, first: int
) -> Drawn:
    """The lines number `first` and following of an epoch.

    Args:
        material: What they are drawn from.
        sampling: How.
        labels: Shape (n,): the label of each.
        seed: Of the recipe.
        epoch: From 0.
        first: The number of the first of these lines in its epoch.
    """
    lengths = length_table(sampling.words_median, sampling.words_spread, sampling.words_least, sampling.words_most)
    key = key_of(seed, "lines", epoch)
    room = 1 << 20
    crop = round(sampling.crop * 1024)
    while True:
        data, offsets = np.empty(room, np.uint8), np.zeros(len(labels) + 1, np.int64)
        used = draw(material.items, lengths, crop, labels, key, first, data, offsets)
        if used >= 0:
            return Drawn(data[:used], offsets, labels)
        room *= 2


@kernel
def draw(
    items: Items,
    lengths: NDArray[np.int64],
    crop: int,
    labels: NDArray[np.int64],
    key: np.uint64,
    first: int,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
) -> int:
    """Fill `data` and `offsets`; returns the bytes used, or -1 where `data` is too small.

    Args:
        items: What is drawn from.
        lengths: Shape (1024,): words of a line of words.
        crop: Share of text lines that are cut, in 1024ths.
        labels: Shape (n,).
        key: Of the epoch.
        first: Number of the first line.
        data: Filled with the lines.
        offsets: Shape (n + 1,), filled from place 1.
    """
    used = 0
    for row in range(labels.size):
        label = labels[row]
        own = number(key, first + row)
        begin, end = items.sources[label], items.sources[label + 1]
        chosen = below(number(own, 0), items.shares[end - 1])
        source = begin
        while items.shares[source] <= chosen:
            source += 1
        if items.kinds[source] == TEXT:
            size = items.last[source] - items.first[source]
            item = items.first[source] + below(number(own, 1), size)
            start, stop = items.starts[item], items.starts[item + 1]
            if stop - start > _LONGEST or below(number(own, 2), 1024) < crop:
                start, stop = part(items.data, start, stop, own, items.unspaced[label])
            if used + stop - start > data.size:
                return -1
            for at in range(start, stop):
                data[used] = items.data[at]
                used += 1
        else:
            used = draw_words(items, source, label, lengths[below(number(own, 1), TABLE)], own, data, used)
            if used < 0:
                return -1
        offsets[row + 1] = used
    return used


@kernel
def draw_words(
    items: Items,
    source: Integer,
    label: Integer,
    words: Integer,
    key: np.uint64,
    data: NDArray[np.uint8],
    used: int,
) -> int:
    """Append `words` words of a list to `data`; returns the bytes used then, or -1 where it is too small."""
    glued = items.unspaced[label] and below(number(key, 2), 100) < _GLUED
    total = items.cumulative[items.last[source] - 1]
    for word in range(words):
        wanted = number(key, 3 + word) % total
        low, high = items.first[source], items.last[source] - 1
        while low < high:
            middle = (low + high) >> 1
            if items.cumulative[middle] <= wanted:
                low = middle + 1
            else:
                high = middle
        start, stop = items.starts[low], items.starts[low + 1]
        if used + 1 + stop - start > data.size:
            return -1
        if word and not glued:
            data[used] = _SPACE
            used += 1
        for at in range(start, stop):
            data[used] = items.data[at]
            used += 1
    return used


@kernel
def part(
    data: NDArray[np.uint8],
    start: Integer,
    stop: Integer,
    key: np.uint64,
    unspaced: bool,  # noqa: FBT001
) -> tuple[Integer, Integer]:
    """A random part of the line `data[start:stop]`, in whole words or, in scripts without spaces, whole characters."""
    units = 0 if unspaced else 1
    for at in range(start, stop):
        if begins(data, at, unspaced):
            units += 1
    least, most = (_KEPT_CHARACTERS, _MOST_CHARACTERS) if unspaced else (_KEPT_WORDS, _MOST_WORDS)
    if units <= least + 1:
        return start, stop
    length = min(most, least + below(number(key, 3), units - least + 1))
    skipped = below(number(key, 4), units - length + 1)
    unit = -1 if unspaced else 0
    begin, end = start, stop
    for at in range(start, stop):
        if begins(data, at, unspaced):
            unit += 1
            if unit == skipped and (unspaced or skipped):
                begin = at if unspaced else at + 1
            if unit == skipped + length:
                end = at
                break
    return begin, end


@kernel
def begins(data: NDArray[np.uint8], at: Integer, unspaced: bool) -> bool:  # noqa: FBT001
    """Whether a unit begins at this byte, a character, or the space before a word."""
    return bool(data[at] & 0xC0 != 0x80 if unspaced else data[at] == _SPACE)
