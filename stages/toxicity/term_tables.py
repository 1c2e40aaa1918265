"""Word lists as hash tables, whose keys are made of the units of a term (`match` says what those are)."""

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
BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
NONE = np.uint64(0)
"""An empty slot."""
MAX_UNITS = 16
"""Longest term, in units."""

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
def mix(value: np.uint64, unit: np.uint64) -> np.uint64:
    """One step of FNV-1a; never 0, which marks an empty slot."""
    mixed = np.uint64((value ^ unit) * _PRIME)
    return mixed if mixed != NONE else _PRIME


@kernel
def slot(table: NDArray[np.uint64], start: int, size: int, value: np.uint64) -> np.int64:
    """Where a hash is in a table, or the empty slot where it belongs."""
    # The low bits of FNV are weak for short inputs: fold the high ones in.
    at = np.int64((value ^ (value >> np.uint64(32))) & np.uint64(size - 1))
    while table[start + at] != NONE and table[start + at] != value:
        at = (at + 1) & (size - 1)
    return start + at


@kernel
def _hash_word(points: NDArray[np.int64]) -> np.uint64:
    value = BASIS
    for point in points:
        value = mix(value, np.uint64(point))
    return value


@kernel
def _add_term(
    term: NDArray[np.uint64], terms: NDArray[np.uint64], lasts: NDArray[np.uint64], start: int, size: int
) -> None:
    value = BASIS
    for back in range(len(term)):
        value = mix(value, term[len(term) - 1 - back])
        if back == 0:
            lasts[slot(lasts, start, size, value)] = value
    terms[slot(terms, start, size, value)] = value


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
