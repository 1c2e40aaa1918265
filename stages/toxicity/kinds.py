"""What the words of a text are about, in which order: kinds of words that mean the same in all languages.

Sentences that a model has not seen have other words than those it has, and most languages have few labelled ones. That
somebody hates a group, that nobody should, or that saying so is wrong, is told by the same kinds of words one after
another everywhere. So each word gets its kinds (`words/kinds.txt`, and from the other lists groups of people, negators,
praise and blame); a text's features are the kinds it has and the pairs of kinds that follow one another, and one model
learns them from all languages together (`pairs`).

A word is a run of letters, marks and digits. It has the kinds of all beginnings of it that a list has. If there are
none: in Arabic those of the word without up to three letters of prefix; those of the word with letters for digits
("h4te"); those of words of four letters and more inside a long one ("Wirtschaftsflüchtlinge"). Letters that stand
alone, three and more, are a word.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.model import read_only
from lauter.stages.kernels.characters import (
    ASCII_CLASS,
    DIGIT,
    LETTER,
    MARK,
    SEPARATOR,
    UNSPACED,
    character_class,
    decode,
    lower,
)
from lauter.stages.kernels.words import FNV_PRIME
from lauter.stages.toxicity.tone import (
    GROUP,
    NEGATOR,
    STEM,
    VALENCE,
    filled,
    hash_start,
    list_lines,
    look_up,
    may_be_stem,
    read_lists,
)

KINDS = (
    "say", "love", "hate", "kill", "hurt", "expel", "beast", "bad", "good", "condemn", "swear", "slur", "ought", "self",
    "you", "they", "all", "many", "person", "life", "rights", "group", "negator", "praise", "blame",
)  # fmt: skip
"""A word has one bit for each."""

_WORD = LETTER | MARK | DIGIT
_LETTERS = 48
"""Letters of a word that are looked at."""
_UNSPACED_LETTERS = 8
_SHORTEST_STEM = 2
_ARABIC, _PREFIX, _PREFIX_LEAVES = 0x600, 3, 3
_LONG, _INSIDE_FROM, _INSIDE = 9, 2, 4
"""In words of nine letters and more, words of four are looked for from the third letter on. In shorter ones they would
be found by chance: "kill" in "skill"."""
_LEET = np.array([0x6F, 0x69, 0x32, 0x65, 0x61, 0x73, 0x36, 0x74, 0x38, 0x39], np.uint32)
"""What the digits are read as: o, i, 2, e, a, s, 6, t, 8, 9."""
_ZERO, _NINE = 0x30, 0x39
_ASCII, _A, _Z, _A_TO_A = 0x80, 0x41, 0x5A, 0x20
_SPACED = 3
"""Words of one letter, as many or more, that are one word: "h a t e"."""
_NONE = np.uint32(0)


class KindTable(NamedTuple):
    """All lists as one hash table, as `tone.Table`."""

    keys: NDArray[np.uint64]
    values: NDArray[np.uint32]
    """A bit for each of `KINDS`."""
    stems: NDArray[np.uint64]


@kernel
def _plain(
    letters: NDArray[np.uint32],
    start: int,
    end: int,
    begin: np.uint64,
    keys: NDArray[np.uint64],
    values: NDArray[np.uint32],
    stems: NDArray[np.uint64],
) -> np.uint32:
    """The kinds of a word by itself and by all its beginnings."""
    found = np.int64(0)
    state = begin
    for place in range(start, end):
        state = (state ^ np.uint64(letters[place])) * FNV_PRIME
        if place - start + 1 >= _SHORTEST_STEM and may_be_stem(state, stems):
            found |= look_up(state ^ STEM, keys, values)
    return np.uint32(found | look_up(state, keys, values))


@kernel
def kinds_of_word(
    letters: NDArray[np.uint32],
    count: int,
    begin: np.uint64,
    keys: NDArray[np.uint64],
    values: NDArray[np.uint32],
    stems: NDArray[np.uint64],
) -> np.uint32:
    """The kinds of a word, `letters[:count]` in lower case; digits may be overwritten with letters."""
    found = _plain(letters, 0, count, begin, keys, values, stems)
    if found:
        return found
    if letters[0] >> 8 == _ARABIC >> 8:
        for prefix in range(1, min(_PREFIX, count - _PREFIX_LEAVES) + 1):
            found = _plain(letters, prefix, count, begin, keys, values, stems)
            if found:
                return found
        return found
    digits = 0
    for place in range(count):
        digits += _ZERO <= letters[place] <= _NINE
    if 0 < digits < count:
        for place in range(count):
            if _ZERO <= letters[place] <= _NINE:
                letters[place] = _LEET[letters[place] - _ZERO]
        found = _plain(letters, 0, count, begin, keys, values, stems)
        if found:
            return found
    if count >= _LONG:
        inside = np.int64(0)
        for start in range(_INSIDE_FROM, count - _INSIDE + 1):
            state = begin
            for place in range(start, count):
                state = (state ^ np.uint64(letters[place])) * FNV_PRIME
                if place - start + 1 >= _INSIDE and may_be_stem(state, stems):
                    inside |= look_up(state ^ STEM, keys, values)
            inside |= look_up(state, keys, values)
        found = np.uint32(inside)
    return found


@kernel
def take_kinds(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    group: NDArray[np.int64],
    keys: NDArray[np.uint64],
    values: NDArray[np.uint32],
    stems: NDArray[np.uint64],
    kinds: NDArray[np.uint32],
    kinds_bounds: NDArray[np.int64],
) -> None:
    """Find the kinds of all words; a mark of punctuation is a word without any.

    Args:
        data: UTF-8 bytes of all texts.
        bounds: Shape (n + 1,): text i is `data[bounds[i]:bounds[i + 1]]`.
        group: Shape (n,): the language of each.
        keys: Of the table.
        values: Of the table.
        stems: Of the table.
        kinds: As many as the texts have bytes; filled.
        kinds_bounds: Shape (n + 1,): where the words of each text are; filled.
    """
    letters, spaced = np.empty(_LETTERS, np.uint32), np.empty(_LETTERS, np.uint32)
    out = 0
    kinds_bounds[0] = 0
    for text in range(bounds.size - 1):
        position, end = bounds[text], bounds[text + 1]
        begin = hash_start(group[text])
        run = 0  # words of one letter so far, one after another
        while position < end:
            code, width = decode(data, position, end)
            kind = character_class(code)
            stop = position + width
            if kind & SEPARATOR:
                position = stop
                continue
            single = False
            if kind & UNSPACED:
                state = begin
                place = position
                found = _NONE
                for _ in range(_UNSPACED_LETTERS):
                    if place >= end:
                        break
                    code, width = decode(data, place, end)
                    if not character_class(code) & UNSPACED:
                        break
                    state = (state ^ np.uint64(code)) * FNV_PRIME
                    place += width
                    here = look_up(state, keys, values)
                    if here:
                        found, stop = np.uint32(here), place
                kinds[out] = found
                out += 1
            elif kind & _WORD:
                count = 0
                place = position
                while place < end:
                    byte = data[place]
                    if byte < _ASCII:
                        code, width, kind = np.int64(byte), 1, np.int64(ASCII_CLASS[byte])
                        if _A <= byte <= _Z:
                            code += _A_TO_A
                    else:
                        code, width = decode(data, place, end)
                        kind = np.int64(character_class(code))
                        code = np.int64(lower(code))
                    if kind & UNSPACED or not kind & _WORD:
                        break
                    if count < _LETTERS:
                        letters[count] = np.uint32(code)
                        count += 1
                    place += width
                stop = place
                single = count == 1
                if single and run < _LETTERS:
                    spaced[run] = letters[0]
                    run += 1
                kinds[out] = kinds_of_word(letters, count, begin, keys, values, stems)
                out += 1
            else:
                kinds[out] = _NONE
                out += 1
            position = stop
            if run and not single:
                out = _joined(kinds, out, 1, spaced, run, begin, keys, values, stems)
                run = 0
        if run:
            out = _joined(kinds, out, 0, spaced, run, begin, keys, values, stems)
        kinds_bounds[text + 1] = out


@kernel
def _joined(
    kinds: NDArray[np.uint32],
    out: int,
    after: int,
    spaced: NDArray[np.uint32],
    run: int,
    begin: np.uint64,
    keys: NDArray[np.uint64],
    values: NDArray[np.uint32],
    stems: NDArray[np.uint64],
) -> int:
    """Make one word of the last `run` words of one letter, `spaced`, if they are enough; how many words there are then.

    With `after` 1 the last of all is the word behind them, with 0 there is none.
    """
    if run < _SPACED:
        return out
    last = kinds[out - 1]
    start = out - run - after
    kinds[start] = kinds_of_word(spaced, run, begin, keys, values, stems)
    if after:
        kinds[start + 1] = last
    return start + 1 + after


@cache
def read_kinds() -> dict[tuple[str, str, int], int]:
    """(language, word, what its hash is salted with) -> bits of `KINDS`, of all lists.

    Raises:
        ValueError: A line of `words/kinds.txt` names a kind that is none.
    """
    found: dict[tuple[str, str, int], int] = {}
    for kind, language, *words in list_lines("kinds"):
        if kind not in KINDS:
            raise ValueError(f"words/kinds.txt: {kind} is none of {', '.join(KINDS)}")
        for word in words:
            key = (language, word.rstrip("*"), int(STEM) if word.endswith("*") else 0)
            found[key] = found.get(key, 0) | 1 << KINDS.index(kind)
    for key, value in read_lists().items():
        bits = 0
        if value & GROUP:
            bits |= 1 << KINDS.index("group")
        if value & NEGATOR:
            bits |= 1 << KINDS.index("negator")
        valence = (value & 15) - VALENCE if value & 15 and key[2] == 0 else 0
        if valence:
            bits |= 1 << KINDS.index("praise" if valence > 0 else "blame")
        if bits:
            found[key] = found.get(key, 0) | bits
    return found


@cache
def build_kind_table(languages: tuple[str, ...]) -> KindTable:
    """The table for languages by code, each with the number of its place."""
    return KindTable(*filled(read_kinds(), languages, np.uint32))


class Kinds(NamedTuple):
    """The words of n texts."""

    kinds: NDArray[np.uint32]
    bounds: NDArray[np.int64]
    """Shape (n + 1,): the words of text i are `kinds[bounds[i]:bounds[i + 1]]`."""


def kinds_of(table: KindTable, data: NDArray[np.uint8], bounds: NDArray[np.int64], group: NDArray[np.int64]) -> Kinds:
    """The kinds of the words of texts, each in the language of its group."""
    size = int(bounds[-1] - bounds[0])
    found = Kinds(np.empty(size, np.uint32), np.zeros_like(bounds))
    take_kinds(read_only(data), read_only(bounds), group, *table, found.kinds, found.bounds)
    return found
