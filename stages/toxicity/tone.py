"""The tone of a text: its words of praise and blame, negators, and words for groups of people.

What a sentence says of whom is in words that differ from sentence to sentence, so n-grams that were learned from one
tell little of the next. Counts of kinds of words carry over. And a word for a group of people is no sign of abuse by
itself: a second copy of the text has one stand-in for all of them, and the classifier learns from that copy.

Words come from `words/`, by language: valence from -5 to 5, negators, groups of people. A word is a run of letters,
marks and digits in lower case; in a script without spaces it is the longest string of a list that begins at a letter,
else that letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.model import read_only
from lauter.stages.kernels.characters import (
    DIGIT,
    LETTER,
    MARK,
    UNSPACED,
    Integer,
    character_class,
    decode,
    lower,
)
from lauter.stages.kernels.hashing import fold
from lauter.stages.kernels.words import FNV_OFFSET, FNV_PRIME, finish_hash

MEASURES = ("blame", "praise", "negated_blame", "negated_praise", "negators", "groups", "words", "quotes")
"""Columns of what `take_tone` counts. Blame and praise are sums of valence, those of words within three words after a
negator apart."""
STAND_IN = b"qqq"
"""What stands for a word for a group of people; no such word is shorter."""

_WORD = LETTER | MARK | DIGIT | UNSPACED
_REACH = 3
"""A negator turns the valence of this many words after it."""
_LONGEST = 8
"""Letters of the longest string that is looked up in a script without spaces."""
_SHORTEST = 2
"""Letters of the shortest stem."""
_ENDING, _BEFORE = 3, 5
"""A word that no list has gets four fifths of the mean valence of those that it shares its beginning with, all but the
last three letters of each and five letters at least: the lists have few of the forms that a word takes."""
STEM, _ROOT = np.uint64(0x5354454D), np.uint64(0x524F4F54)
NEGATOR, GROUP, VALENCE = 16, 32, 8
_QUOTES = (0x22, 0xAB, 0xBB, 0x201C, 0x201D, 0x201E, 0x300C, 0x300D)  # " « » “ ” „ 「 」
_FREE = np.uint64(0)
_EMPTY = np.int64(0)
STEM_WORDS = 2048
"""64-bit words that hold a bit for each stem."""
_STEM_MASK = np.uint64(64 * STEM_WORDS - 1)
_Q = np.uint8(0x71)


class Table(NamedTuple):
    """All lists as one hash table with open addressing: a key is the hash of language and word."""

    keys: NDArray[np.uint64]
    """Shape (a power of two,), 0 where nothing is."""
    values: NDArray[np.uint8]
    """Valence + 8, 16 for a negator, 32 for a word or stem for a group of people."""
    stems: NDArray[np.uint64]
    """Shape (`STEM_WORDS`,): a bit for each stem, in the place that its hash says."""


@kernel
def hash_start(group: Integer) -> np.uint64:
    """What the hash of a word of a language begins with."""
    return FNV_OFFSET ^ fold(STEM, np.uint64(group + 1))


@kernel
def may_be_stem(state: np.uint64, stems: NDArray[np.uint64]) -> bool:
    """Whether a hash, not salted, can be that of a stem: 16 KB answer for all but one in twenty beginnings of words."""
    bit = (state ^ (state >> np.uint64(29))) & _STEM_MASK
    return bool(stems[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1))


@kernel
def look_up(state: np.uint64, keys: NDArray[np.uint64], values: NDArray[Any]) -> np.int64:
    """The value of a hash, 0 for none."""
    key = finish_hash(state) | np.uint64(1)
    mask = np.uint64(keys.size - 1)
    slot = (key >> np.uint64(8)) & mask
    while keys[slot] != _FREE:
        if keys[slot] == key:
            return np.int64(values[slot])
        slot = (slot + np.uint64(1)) & mask
    return _EMPTY


@kernel
def fill_table(
    codes: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    group: NDArray[np.int64],
    salt: NDArray[np.uint64],
    value: NDArray[np.uint8],
    keys: NDArray[np.uint64],
    values: NDArray[Any],
    stems: NDArray[np.uint64],
) -> None:
    """Put words into a table: word i is `codes[bounds[i]:bounds[i + 1]]`; its hash is salted."""
    mask = np.uint64(keys.size - 1)
    for word in range(bounds.size - 1):
        state = hash_start(group[word])
        for place in range(bounds[word], bounds[word + 1]):
            state = (state ^ np.uint64(codes[place])) * FNV_PRIME
        if salt[word] == STEM:
            bit = (state ^ (state >> np.uint64(29))) & _STEM_MASK
            stems[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        key = finish_hash(state ^ salt[word]) | np.uint64(1)
        slot = (key >> np.uint64(8)) & mask
        while keys[slot] != _FREE and keys[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = key
        values[slot] |= value[word]


@kernel
def take_tone(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    group: NDArray[np.int64],
    keys: NDArray[np.uint64],
    values: NDArray[np.uint8],
    stems: NDArray[np.uint64],
    masked: NDArray[np.uint8],
    masked_bounds: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Count what texts hold, and copy them with the stand-in for words for groups of people.

    Args:
        data: UTF-8 bytes of all texts.
        bounds: Shape (n + 1,): text i is `data[bounds[i]:bounds[i + 1]]`.
        group: Shape (n,): the language of each.
        keys: Of the table.
        values: Of the table.
        stems: Of the table.
        masked: As many bytes as the texts have; filled.
        masked_bounds: Shape (n + 1,); filled.
        counts: Zeros of shape (n, measures); filled.
    """
    out = 0
    masked_bounds[0] = 0
    for text in range(bounds.size - 1):
        position, end = bounds[text], bounds[text + 1]
        begin = hash_start(group[text])
        row = counts[text]
        since = _REACH + 1
        while position < end:
            start = position
            code, width = decode(data, position, end)
            kind = character_class(code)
            found: Integer = 0
            stop = position + width
            if kind & UNSPACED:
                state = begin
                place = position
                for _ in range(_LONGEST):
                    if place >= end:
                        break
                    code, width = decode(data, place, end)
                    if not character_class(code) & UNSPACED:
                        break
                    state = (state ^ np.uint64(code)) * FNV_PRIME
                    place += width
                    here = look_up(state, keys, values)
                    if here:
                        found, stop = here, place
            elif kind & _WORD:
                state = one = two = three = begin
                letters = 0
                stem: Integer = 0
                place = position
                while place < end:
                    code, width = decode(data, place, end)
                    kind = character_class(code)
                    if kind & UNSPACED or not kind & _WORD:
                        break
                    three, two, one = two, one, state
                    state = (state ^ np.uint64(lower(code))) * FNV_PRIME
                    place += width
                    letters += 1
                    if letters >= _SHORTEST and not stem and may_be_stem(state, stems):
                        stem = look_up(state ^ STEM, keys, values)
                found = look_up(state, keys, values) | stem
                if not found and letters >= _BEFORE:
                    found = look_up(state ^ _ROOT, keys, values)
                    if not found and letters > _BEFORE:
                        found = look_up(one ^ _ROOT, keys, values)
                    if not found and letters > _BEFORE + 1:
                        found = look_up(two ^ _ROOT, keys, values)
                    if not found and letters > _BEFORE + 2:
                        found = look_up(three ^ _ROOT, keys, values)
                stop = place
            else:
                if code in _QUOTES:
                    row[7] += 1
                for place in range(start, stop):
                    masked[out] = data[place]
                    out += 1
                position = stop
                continue
            row[6] += 1
            since += 1
            if found & GROUP:
                row[5] += 1
                masked[out : out + 3] = _Q
                out += 3
            else:
                for place in range(start, stop):
                    masked[out] = data[place]
                    out += 1
                if found & 15:
                    valence = np.int64(found & 15) - VALENCE
                    negated = since <= _REACH
                    if valence < 0:
                        row[2 if negated else 0] -= valence
                    else:
                        row[3 if negated else 1] += valence
            if found & NEGATOR:
                row[4] += 1
                since = 0
            position = stop
        masked_bounds[text + 1] = out


def list_lines(name: str) -> Iterator[list[str]]:
    """Of a list in `words/`, the words of each line; comments are left out."""
    text = resources.files("lauter.stages.toxicity").joinpath(f"words/{name}.txt").read_text("utf-8")
    return (line.split() for line in text.splitlines() if line and not line.startswith("#"))


@cache
def read_lists() -> Mapping[tuple[str, str, int], int]:
    """(language, word, what its hash is salted with) -> value, of all lists."""
    found: dict[tuple[str, str, int], int] = {}
    roots: dict[tuple[str, str], list[int]] = {}
    for language, valence, *words in list_lines("valence"):
        for word in words:
            # A word that is listed twice has the first valence.
            found.setdefault((language, word, 0), int(valence) + VALENCE)
            if len(word) >= _BEFORE:
                root = word[: max(len(word) - _ENDING, _BEFORE)]
                roots.setdefault((language, root), []).append(int(valence))
    for (language, root), valences in roots.items():
        mean = round(0.8 * sum(valences) / len(valences))
        if mean:
            found[language, root, int(_ROOT)] = mean + VALENCE
    for name, value in (("groups", GROUP), ("negators", NEGATOR)):
        for language, *words in list_lines(name):
            for word in words:
                key = (language, word.rstrip("*"), int(STEM) if word.endswith("*") else 0)
                if value == GROUP and len(key[1].encode()) < len(STAND_IN):
                    raise ValueError(f"words/groups.txt: {word} is shorter than what stands for it")
                found[key] = found.get(key, 0) | value
    return found


@lru_cache(maxsize=2)
def build_table(languages: tuple[str, ...]) -> Table:
    """The table for languages by code, each with the number of its place; made once in a process."""
    return Table(*filled(read_lists(), languages, np.uint8))


def filled(
    lists: Mapping[tuple[str, str, int], int], languages: tuple[str, ...], dtype: type[np.uint8 | np.uint32]
) -> tuple[NDArray[np.uint64], NDArray[Any], NDArray[np.uint64]]:
    """Keys, values of `dtype` and stems of the words of these languages, as `fill_table` makes them."""
    place = {code: number for number, code in enumerate(languages)}
    own = [(key, value) for key, value in lists.items() if key[0] in place]
    codes = np.array([ord(letter) for (_, word, _), _ in own for letter in word], np.uint32)
    bounds = np.cumsum([0, *(len(word) for (_, word, _), _ in own)]).astype(np.int64)
    slots = 1 << max(4, (2 * len(own)).bit_length())
    keys, values, stems = np.zeros(slots, np.uint64), np.zeros(slots, dtype), np.zeros(STEM_WORDS, np.uint64)
    group = np.array([place[code] for (code, _, _), _ in own], np.int64)
    salt = np.array([salt for (_, _, salt), _ in own], np.uint64)
    fill_table(codes, bounds, group, salt, np.array([value for _, value in own], dtype), keys, values, stems)
    return read_only(keys), read_only(values), read_only(stems)


class Tone(NamedTuple):
    """What `take_tone` found in n texts."""

    counts: NDArray[np.int64]
    """Shape (n, measures)."""
    masked: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    """Shape (n + 1,): text i with its stand-ins is `masked[bounds[i]:bounds[i + 1]]`."""


def tone_of(table: Table, data: NDArray[np.uint8], bounds: NDArray[np.int64], group: NDArray[np.int64]) -> Tone:
    """The tone of texts, each in the language of its group."""
    size = int(bounds[-1] - bounds[0])
    found = Tone(np.zeros((len(bounds) - 1, len(MEASURES)), np.int64), np.empty(size, np.uint8), np.zeros_like(bounds))
    take_tone(read_only(data), read_only(bounds), group, *table, found.masked, found.bounds, found.counts)
    return found
