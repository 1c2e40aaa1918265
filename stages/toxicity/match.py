"""Counting what a word list hits in a text, straight from its UTF-8 bytes.

A text is a row of units, and so is a term of a list: words (longest runs of letters, marks and digits) in languages
that put spaces between words, single letters in those that do not. A term hits where its units follow one another; of
letters, only where the list's `Way` lets it begin and end. Words are compared as 64-bit hashes: with 7,000 terms a
false hit is expected once in 2.6e15 words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

# FNV-1a, 64 bit (draft-eastlake-fnv), fed with code points or units in place of bytes.
_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_NONE = np.uint64(0)
_RING = 32
MAX_UNITS = 16
"""Longest term, in units; the ring holds the letter before it too."""

_BMP = 0x10000


class Way(IntEnum):
    """How the terms of a list are matched."""

    WORDS = 0
    """Whole words."""
    LETTERS = 1
    """Letters, anywhere (Chinese)."""
    START = 2
    """Letters, from the beginning of a word on (Korean: particles are written onto the end)."""
    KATAKANA = 3
    """Letters; an edge of katakana must be the edge of a run of katakana (Japanese: バカ is no part of バカンス)."""
    CLUSTER = 4
    """Letters, never from or up to the middle of a Thai syllable's cluster of consonant, vowels and marks."""


_START, _KATAKANA, _CLUSTER = int(Way.START), int(Way.KATAKANA), int(Way.CLUSTER)


class Tables(NamedTuple):
    """Word lists as hash tables, one list after the other."""

    terms: NDArray[np.uint64]
    """Hashes of whole terms, units taken from the last to the first; 0 is an empty slot."""
    lasts: NDArray[np.uint64]
    """Hashes of the last unit of each term, in the same layout."""
    starts: NDArray[np.int64]
    """Shape (lists,): where a list's slots begin."""
    sizes: NDArray[np.int64]
    """Shape (lists,): its number of slots, a power of two."""
    ways: NDArray[np.uint8]
    """Shape (lists,): the `Way` of each list."""


@cache
def word_characters() -> NDArray[np.bool_]:
    """Shape (0x10000,): which code points of the basic plane are part of a word (letters, marks and digits)."""
    of = np.array([unicodedata.category(chr(point))[0] in "LMN" for point in range(_BMP)])
    of.setflags(write=False)
    return of


@kernel
def _mix(value: np.uint64, unit: np.uint64) -> np.uint64:
    """One step of FNV-1a; never 0, which marks an empty slot."""
    mixed = np.uint64((value ^ unit) * _PRIME)
    return mixed if mixed != _NONE else _PRIME


@kernel
def _slot(table: NDArray[np.uint64], start: int, size: int, value: np.uint64) -> np.int64:
    """Where a hash is in a table, or the empty slot where it belongs."""
    # The low bits of FNV are weak for short inputs: fold the high ones in.
    at = np.int64((value ^ (value >> np.uint64(32))) & np.uint64(size - 1))
    while table[start + at] != _NONE and table[start + at] != value:
        at = (at + 1) & (size - 1)
    return start + at


@kernel
def _hash_word(points: NDArray[np.int64]) -> np.uint64:
    value = _BASIS
    for point in points:
        value = _mix(value, np.uint64(point))
    return value


@kernel
def _add_term(
    term: NDArray[np.uint64], terms: NDArray[np.uint64], lasts: NDArray[np.uint64], start: int, size: int
) -> None:
    value = _BASIS
    for back in range(len(term)):
        value = _mix(value, term[len(term) - 1 - back])
        if back == 0:
            lasts[_slot(lasts, start, size, value)] = value
    terms[_slot(terms, start, size, value)] = value


@kernel
def _decode(data: NDArray[np.uint8], at: int, end: int) -> tuple[np.int64, int]:
    """The code point at `at` and the bytes its first one promises."""
    lead = data[at]
    if lead < 0x80:
        return np.int64(lead), 1
    if lead >= 0xF0:
        width, point = 4, np.int64(lead & 0x07)
    elif lead >= 0xE0:
        width, point = 3, np.int64(lead & 0x0F)
    else:
        width, point = 2, np.int64(lead & 0x1F)
    for step in range(1, width):
        if at + step < end:
            point = (point << 6) | np.int64(data[at + step] & 0x3F)
    return point, width


@kernel
def are_joined(way: int, left: int, right: int) -> bool:
    """Whether no term may begin or end between two neighbouring letters."""
    if way == _KATAKANA:
        # U+30A1..U+30FA and the length and iteration marks; NFKC has made half-width letters full-width.
        return 0x30A1 <= left <= 0x30FE and left != 0x30FB and 0x30A1 <= right <= 0x30FE and right != 0x30FB
    if way == _CLUSTER:
        # Vowels and marks that follow their consonant, and the five vowels that are written before it.
        return (
            0xE30 <= right <= 0xE3A or 0xE45 <= right <= 0xE4E or (0xE40 <= left <= 0xE44 and 0xE01 <= right <= 0xE3A)
        )
    return False


@kernel
def _count(
    data: NDArray[np.uint8],
    begin: int,
    end: int,
    is_word: NDArray[np.bool_],
    terms: NDArray[np.uint64],
    lasts: NDArray[np.uint64],
    start: int,
    size: int,
    way: int,
    ring: NDArray[np.uint64],
    points: NDArray[np.int64],
    covered: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Units that are part of a hit, all units, and the different terms (0, 1, or 2 for more) of one text.

    `ring` holds the last `_RING` units, `points` their code points where they are letters, and `covered` which of them
    are part of a hit: a longer term that ends later may reach back over units between shorter ones. Of two terms that
    overlap only the one that holds the other counts as a term, or else the first.
    """
    by_letter = way != 0
    first = pending = _NONE  # hashes of the first term, and of the last one while a longer may still take its place
    pending_start = pending_end = 0
    distinct = 0
    units = 0
    run = 0  # units that a term may reach back over
    hit = 0
    word = _BASIS
    in_word = False
    at = begin
    while at <= end:
        part_of_word = False
        point = np.int64(0)
        if at < end:
            point, width = _decode(data, at, end)
            at += width
            part_of_word = bool(point < len(is_word) and is_word[point])
        else:
            at += 1
        closed = False
        if by_letter:
            if part_of_word:
                word = _mix(_BASIS, np.uint64(point))
                closed = True
            else:
                run = 0
        elif part_of_word:
            word = _mix(word, np.uint64(point))
            in_word = True
        elif in_word:
            closed = True
            in_word = False
        if closed:
            ring[units % _RING] = word
            points[units % _RING] = point
            covered[units % _RING] = False
            units += 1
            run += 1
            value = _mix(_BASIS, word)
            if lasts[_slot(lasts, start, size, value)] != _NONE:
                longest = 0
                found = _NONE
                reach = min(run, MAX_UNITS)
                following = _decode(data, at, end)[0] if by_letter and at < end else np.int64(0)
                if are_joined(way, int(point), int(following)):
                    reach = 0
                for back in range(1, reach + 1):
                    if terms[_slot(terms, start, size, value)] != _NONE:
                        if way == _START:
                            fits = back == run
                        else:
                            one, before = points[(units - back) % _RING], points[(units - 1 - back) % _RING]
                            fits = back == run or not are_joined(way, int(before), int(one))
                        if fits:
                            longest = back
                            found = value
                    if back < reach:
                        value = _mix(value, ring[(units - 1 - back) % _RING])
                for back in range(longest):
                    if not covered[(units - 1 - back) % _RING]:
                        covered[(units - 1 - back) % _RING] = True
                        hit += 1
                if longest and (units - longest <= pending_start or units - longest >= pending_end):
                    if units - longest >= pending_end and pending != _NONE:
                        distinct = 1 if first == _NONE or (first == pending and distinct == 1) else 2
                        first = pending if first == _NONE else first
                    pending, pending_start, pending_end = found, units - longest, units
            word = _BASIS
    if pending != _NONE:
        distinct = 1 if first == _NONE or (first == pending and distinct == 1) else 2
    return hit, units, distinct


@kernel
def count_hits(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lists: NDArray[np.int32],
    is_word: NDArray[np.bool_],
    terms: NDArray[np.uint64],
    lasts: NDArray[np.uint64],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    ways: NDArray[np.uint8],
    hits: NDArray[np.int64],
    units: NDArray[np.int64],
    distinct: NDArray[np.int64],
) -> None:
    """Count, for each text that has a list, the units in hits, all units, and the different terms.

    Args:
        data: UTF-8 bytes of all texts, lower-cased and normalised like the terms.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        lists: Shape (n,): which list judges a text, -1 for none.
        is_word: `word_characters()`.
        terms: The fields of `Tables`, in their order.
        lasts: As above.
        starts: As above.
        sizes: As above.
        ways: As above.
        hits: Shape (n,): filled with the units that are part of a hit. A unit counts once.
        units: Shape (n,): filled with the units of the text.
        distinct: Shape (n,): filled with the number of different terms, 2 for more than one.
    """
    ring = np.zeros(_RING, np.uint64)
    points = np.zeros(_RING, np.int64)
    covered = np.zeros(_RING, np.bool_)
    for row in range(len(lists)):
        which = lists[row]
        if which >= 0:
            hits[row], units[row], distinct[row] = _count(
                data,
                offsets[row],
                offsets[row + 1],
                is_word,
                terms,
                lasts,
                starts[which],
                sizes[which],
                ways[which],
                ring,
                points,
                covered,
            )


def split_words(text: str) -> list[list[int]]:
    """The words of a text, each as code points."""
    is_word = word_characters()
    runs: list[list[int]] = [[]]
    for point in map(ord, text):
        if point < _BMP and is_word[point]:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def build_tables(lists: Sequence[tuple[Way, Sequence[str]]]) -> Tables:
    """Hash tables of word lists.

    Args:
        lists: For each list, how it is matched, and its terms, lower-cased and normalised. A term with more
            than `MAX_UNITS` units, or of letters with something else between them, cannot be matched and is left out.
    """
    sizes = [1 << max(4, (3 * len(terms)).bit_length()) for _, terms in lists]
    starts = [0, *accumulate(sizes)]
    hashes, lasts = np.zeros(starts[-1], np.uint64), np.zeros(starts[-1], np.uint64)
    for start, size, (way, terms) in zip(starts, sizes, lists, strict=False):
        for term in terms:
            words = split_words(term)
            if way != Way.WORDS:
                words = [[point] for point in words[0]] if len(words) == 1 else []
            if 0 < len(words) <= MAX_UNITS:
                units = np.array([_hash_word(np.array(word, np.int64)) for word in words], np.uint64)
                _add_term(units, hashes, lasts, start, size)
    return Tables(
        hashes,
        lasts,
        np.array(starts[:-1], np.int64),
        np.array(sizes, np.int64),
        np.array([way for way, _ in lists], np.uint8),
    )
