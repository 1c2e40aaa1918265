"""What the learned rule is told of each block: of its text, of the elements around it, and of what stands near.

All features are integers or quotients of two, so that they are the same on every machine. A quotient of nothing is 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.blocks.cutting import FIRST_WORD, HIDDEN, KIND, PARENT, Blocks
from lauter.stages.extract.blocks.odds import Odds, look_up
from lauter.stages.extract.blocks.text_run import (
    BREAKS,
    CAPITALS,
    CHARS,
    COMMAS,
    DIGITS,
    ELEMENT,
    IN_PRE,
    LAST,
    LETTERS,
    LINKED,
    LINKS,
    STOPS,
    SYMBOLS,
    TAGS,
    TERMS,
    WIDE,
    WORDS,
)
from lauter.stages.extract.markup import KINDS

FEATURES = 103
"""Columns of the features of a block."""
_ABOVE = tuple(
    KINDS.index(name) + 1
    for name in "article main nav aside header footer form table blockquote figure p li dl".split()  # noqa: SIM905
)
"""Kinds of elements of which it is asked whether they stand around a block."""
_P, _H1, _H6, _ARTICLE, _UL, _OL = (KINDS.index(name) + 1 for name in ("p", "h1", "h6", "article", "ul", "ol"))
_NEXT_PROSE = 96
"""The column of how far the next block of prose is, filled from the end."""
_LEVELS = 4
_FAR = 9999
_PROSE_CHARS = 60
"""A block with the end of a sentence and more characters than this outside links is prose."""
_MOST_ODDS = 1200
"""One element's words together say no more than this, a factor of e**12: an element may have a hundred classes."""


class Surroundings(NamedTuple):
    """What the second look at a page needs of the first."""

    group: NDArray[np.int32]
    """(blocks,): blocks of one number stand in three elements of the same kinds and classes."""
    wider: NDArray[np.int32]
    """(elements,): the nearest element around that holds more blocks."""
    held: NDArray[np.int32]
    """(elements,): blocks in each."""


def features(blocks: Blocks, words: Odds, terms: Odds) -> tuple[NDArray[np.float32], Surroundings]:
    """The features of each block, (blocks, FEATURES)."""
    found, group, wider, count = _features(blocks.rows, blocks.terms, blocks.elements, blocks.words, *words, *terms)
    return found, Surroundings(group, wider, count)


@kernel
def _is_prose(row: NDArray[np.int32]) -> bool:
    return bool(row[STOPS] > 0 and row[CHARS] - row[LINKED] > _PROSE_CHARS)


@kernel
def _of_text(
    out: NDArray[np.float32],
    row: NDArray[np.int32],
    terms: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    values: NDArray[np.int32],
) -> int:
    # Columns 0 to 19.
    chars, words = max(row[CHARS], 1), max(row[WORDS], 1)
    out[0], out[1], out[2], out[3] = row[CHARS], row[WORDS], row[LINKED] / chars, row[LINKS]
    out[4], out[5], out[6] = row[WIDE] / chars, row[STOPS], (row[STOPS] + row[COMMAS]) / words
    out[7], out[8], out[9] = row[DIGITS] / chars, row[CAPITALS] / words, row[SYMBOLS]
    out[10], out[11], out[12], out[13] = row[TAGS], row[LAST], row[BREAKS], row[LETTERS] / words
    out[14], out[15] = row[IN_PRE], row[CHARS] - row[LINKED]
    total = least = most = 0
    for index in range(row[TERMS]):
        odds = look_up(keys, values, terms[index])
        total += odds
        least, most = min(least, odds), max(most, odds)
    out[16], out[17], out[18], out[19] = total, total / max(row[TERMS], 1), least, most
    return 20


@kernel
def _of_neighbour(
    out: NDArray[np.float32], at: int, rows: NDArray[np.int32], elements: NDArray[np.int32], block: int, columns: int
) -> int:
    inside = 0 <= block < len(rows)
    out[at] = rows[block, CHARS] if inside else -1
    out[at + 1] = rows[block, LINKED] / max(rows[block, CHARS], 1) if inside else -1
    if columns == 2:
        return at + 2
    out[at + 2] = elements[rows[block, ELEMENT], KIND] if inside else -1
    out[at + 3] = rows[block, STOPS] if inside else -1
    return at + 4


@kernel
def _groups(
    rows: NDArray[np.int32], elements: NDArray[np.int32], signature: NDArray[np.uint64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    # The group of each block, and of each group its blocks, characters and characters in links.
    size = 16
    while size < 2 * len(rows):
        size *= 2
    keys, sums = np.zeros(size, np.uint64), np.zeros((size, 3), np.int32)
    group = np.zeros(len(rows), np.int32)
    for block in range(len(rows)):
        element = rows[block, ELEMENT]
        parent = elements[element, PARENT]
        key = signature[element] ^ (signature[parent] * np.uint64(3))
        key ^= signature[elements[parent, PARENT]] * np.uint64(7)
        key |= np.uint64(1)
        key ^= key >> np.uint64(31)
        place = np.int64(key & np.uint64(size - 1))
        while keys[place] != 0 and keys[place] != key:
            place = (place + 1) & (size - 1)
        keys[place] = key
        sums[place, 0] += 1
        sums[place, 1] += rows[block, CHARS]
        sums[place, 2] += rows[block, LINKED]
        group[block] = place
    return group, sums


@kernel
def _features(
    rows: NDArray[np.int32],
    terms: NDArray[np.uint64],
    elements: NDArray[np.int32],
    words: NDArray[np.uint64],
    word_keys: NDArray[np.uint64],
    word_values: NDArray[np.int32],
    term_keys: NDArray[np.uint64],
    term_values: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    blocks, size = len(rows), len(elements)
    out = np.zeros((blocks, FEATURES), np.float32)
    # Of each element: characters below it, of them in links, in blocks right below a <p>, in prose; blocks.
    chars, linked, in_p, prose = (
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
        np.zeros(size, np.int32),
    )
    count = np.zeros(size, np.int32)
    longest = prose_blocks = 0
    first_h1 = -1
    for block in range(blocks):
        row = rows[block]
        element = row[ELEMENT]
        chars[element] += row[CHARS]
        linked[element] += row[LINKED]
        count[element] += 1
        if elements[element, KIND] == _P:
            in_p[element] += row[CHARS]
        elif elements[element, KIND] == _H1 and first_h1 < 0:
            first_h1 = block
        if _is_prose(row):
            prose[element] += row[CHARS]
            prose_blocks += 1
        longest = max(longest, row[CHARS])
    for element in range(size - 1, 0, -1):
        parent = elements[element, PARENT]
        chars[parent] += chars[element]
        linked[parent] += linked[element]
        count[parent] += count[element]
        in_p[parent] += in_p[element]
        prose[parent] += prose[element]
    # Of each element, from its parent's: what its words say, and those of all around it; what kinds stand around it.
    own, near = np.zeros(size, np.int32), np.zeros(size, np.int32)
    lowest, highest, summed = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    depth, lists, hidden = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    wider, article = np.zeros(size, np.int32), np.zeros(size, np.int32)
    around, signature = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    articles = 0
    for element in range(size):
        parent, kind = elements[element, PARENT], elements[element, KIND]
        if element > 0:
            wider[element] = parent if count[parent] > count[element] else wider[parent]
            around[element] = around[parent] | (np.uint64(1) << np.uint64(kind))
            depth[element] = depth[parent] + 1
            lists[element] = lists[parent] + (kind in (_UL, _OL))
            hidden[element] = hidden[parent] | elements[element, HIDDEN]
            article[element] = article[parent]
        if kind == _ARTICLE:
            articles += 1
            if article[element] == 0:
                article[element] = element
        first = elements[element, FIRST_WORD]
        stop = elements[element + 1, FIRST_WORD] if element + 1 < size else len(words)
        odds = 0
        for index in range(first, stop):
            odds += look_up(word_keys, word_values, words[index])
        odds = min(max(odds, -_MOST_ODDS), _MOST_ODDS)
        own[element] = odds
        near[element] = odds if stop > first else near[parent]
        lowest[element], highest[element] = min(lowest[parent], odds), max(highest[parent], odds)
        summed[element] = summed[parent] + odds
        mark = np.uint64(kind + 1)
        if stop > first:
            mark = mark * np.uint64(31) ^ words[first]
        signature[element] = (mark ^ (mark >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    group, sums = _groups(rows, elements, signature)
    total = chars[0]
    some = max(total, 1)
    before = heading = since_heading = 0
    for block in range(blocks):
        row, line = rows[block], out[block]
        element = row[ELEMENT]
        kind = elements[element, KIND]
        at = _of_text(line, row, terms[block], term_keys, term_values)
        line[at], line[at + 1] = kind, depth[element]
        at += 2
        for above in _ABOVE:
            line[at] = (around[element] >> np.uint64(above)) & np.uint64(1)
            at += 1
        line[at], line[at + 1], line[at + 2], line[at + 3] = (
            lists[element],
            hidden[element],
            own[element],
            near[element],
        )
        line[at + 4], line[at + 5], line[at + 6] = lowest[element], highest[element], summed[element]
        line[at + 7] = summed[element] / (depth[element] + 1)
        at += 8
        holder = element if count[element] > 1 else wider[element]
        for _ in range(_LEVELS):
            held = max(chars[holder], 1)
            line[at], line[at + 1], line[at + 2] = chars[holder], linked[holder] / held, count[holder]
            line[at + 3], line[at + 4] = in_p[holder] / held, chars[holder] / some
            line[at + 5], line[at + 6] = prose[holder] / max(prose[0], 1), near[holder]
            at += 7
            holder = wider[holder]
        line[at] = chars[article[element]] / some if article[element] > 0 else -1
        at = _of_neighbour(line, at + 1, rows, elements, block - 2, 2)
        at = _of_neighbour(line, at, rows, elements, block - 1, 4)
        at = _of_neighbour(line, at, rows, elements, block + 1, 4)
        at = _of_neighbour(line, at, rows, elements, block + 2, 2)
        line[at], line[at + 1], line[at + 2], line[at + 3] = before / some, total - before, block / blocks, blocks
        line[at + 4], line[at + 5], line[at + 6] = total, linked[0] / some, longest
        line[at + 7], line[at + 8] = in_p[0] / some, row[CHARS] / max(longest, 1)
        if _H1 <= kind <= _H6:
            heading, since_heading = kind - _H1 + 1, 0
        else:
            since_heading += 1
        line[at + 9], line[at + 10] = heading, since_heading
        line[at + 11] = block - first_h1 if first_h1 >= 0 else -_FAR
        at += 13  # one is left for the way to the next prose
        alike = sums[group[block]]
        line[at], line[at + 1], line[at + 2] = alike[0], alike[1], alike[2] / max(alike[1], 1)
        line[at + 3], line[at + 4], line[at + 5] = alike[1] / some, articles, prose_blocks
        before += row[CHARS]
    next_prose = -1
    for block in range(blocks - 1, -1, -1):
        out[block, _NEXT_PROSE] = next_prose - block if next_prose >= 0 else _FAR
        if _is_prose(rows[block]):
            next_prose = block
    return out, group, wider, count
