"""The features of a text: hashed words, word n-grams, pairs of words with a gap, and n-grams of characters.

A text is read as one row of characters: lower-cased, digits folded to 0, every run of white space and every border
between a word and a mark of punctuation one space, with a space at both ends. N-grams of characters run over that
row, across words. A word is a run of letters, marks and digits, or one mark of punctuation, or one letter of a script
without spaces. A feature is a bucket, counted once a text: a sentence said a hundred times is that sentence.

A text may have a group (its language) and a mark (whatever else is known of it). Its n-grams of characters then stand
twice, once for all groups and once for its own, so that what texts share is learned from all and what a group needs
from its own (H. Daumé III, Frustratingly Easy Domain Adaptation, ACL 2007); group and mark are features too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import (
    DIGIT,
    LETTER,
    MARK,
    SEPARATOR,
    UNSPACED,
    Integer,
    character_class,
    decode,
    lower,
)
from lauter.stages.kernels.hashing import GOLDEN, fold
from lauter.stages.kernels.words import FNV_OFFSET, FNV_PRIME, finish_hash

_SPACE, _ZERO = 0x20, 0x30
_HALF = np.uint64(32)
_WORD = LETTER | MARK | DIGIT | UNSPACED
# What a hash begins with, by kind, so that the word "the" and the n-gram "the" are two features.
_OF_WORDS, _OF_GAP, _OF_GROUP, _OF_MARK = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


class Shape(NamedTuple):
    """Which features a model has."""

    buckets: int
    """Numbers that features are hashed to, a power of two."""
    words: int
    """Longest n-gram of words, 0 for none."""
    gap: int
    """Pairs of words with up to this many words between them are features, 0 for none."""
    least: int
    """Shortest n-gram of characters."""
    most: int
    """Longest, 0 for none."""
    bytes: int
    """Bytes of a text that are looked at, from its beginning: what is longer is cut into windows by the caller."""


class Memory(NamedTuple):
    """What the search for features writes into; one text after another."""

    codes: NDArray[np.uint32]
    """The normalised characters."""
    words: NDArray[np.uint64]
    """Hashes of the words."""
    found: NDArray[np.int32]
    """The buckets of the text."""
    seen: NDArray[np.uint64]
    """A hash table of the text's buckets, each with the text's own number above it, so that nothing is ever cleared:
    a table by bucket would be a cache miss for each n-gram. The last place holds the number of texts."""


def memory_for(shape: Shape) -> Memory:
    """Room for any text of `shape.bytes` bytes: some 20 bytes a feature."""
    # A byte can be a mark of punctuation, which stands between spaces: three characters of "a-b" become five.
    codes = 2 * shape.bytes + 2
    ngrams = 2 * max(shape.most - shape.least + 1, 0) if shape.most else 0
    features = codes * ngrams + shape.bytes * (shape.words + shape.gap) + 4
    return Memory(
        np.empty(codes + max(shape.most, 1), np.uint32),
        np.empty(shape.bytes + 1, np.uint64),
        np.empty(features, np.int32),
        np.zeros(slots_for(features) + 1, np.uint64),
    )


@kernel
def normalise(
    data: NDArray[np.uint8],
    start: Integer,
    end: Integer,
    codes: NDArray[np.uint32],
    words: NDArray[np.uint64],
) -> tuple[int, int]:
    """Write the characters and the words' hashes of `data[start:end]`; how many there are of each."""
    size, count = 1, 0
    codes[0] = _SPACE
    state = FNV_OFFSET
    inside = False  # of a word that spaces end
    position = start
    while position < end:
        byte = data[position]
        if byte < 0x80:
            code: Integer = np.int64(byte)
            position += 1
            if 0x41 <= code <= 0x5A:
                code += 0x20
        else:
            code, width = decode(data, position, end)
            position += width
            code = lower(code)
        kind = character_class(code)
        if kind & DIGIT:
            code = _ZERO
        alone = kind & UNSPACED or not kind & (_WORD | SEPARATOR)
        if inside and (alone or kind & SEPARATOR):
            words[count] = finish_hash(state)
            count += 1
            inside = False
        if kind & SEPARATOR:
            if codes[size - 1] != _SPACE:
                codes[size] = _SPACE
                size += 1
        elif alone:
            # A mark of punctuation stands between spaces; a letter of a script without them follows the one before.
            bare = not kind & UNSPACED
            if bare and codes[size - 1] != _SPACE:
                codes[size] = _SPACE
                size += 1
            codes[size] = code
            size += 1
            if bare:
                codes[size] = _SPACE
                size += 1
            words[count] = finish_hash((FNV_OFFSET ^ np.uint64(code)) * FNV_PRIME)
            count += 1
        else:
            if not inside:
                state = FNV_OFFSET
                inside = True
            state = (state ^ np.uint64(code)) * FNV_PRIME
            codes[size] = code
            size += 1
    if inside:
        words[count] = finish_hash(state)
        count += 1
    if codes[size - 1] != _SPACE:
        codes[size] = _SPACE
        size += 1
    return size, count


@kernel
def slots_for(features: int) -> int:
    """Slots of a hash table of so many features, a power of two that they fill by half at most."""
    slots = 16
    while slots < 2 * features:
        slots *= 2
    return slots


@kernel
def shift_of(buckets: int) -> np.uint64:
    """How many bits of a hash are left out."""
    bits = 0
    while 1 << bits < buckets:
        bits += 1
    return np.uint64(64 - bits)


@kernel
def find_features(
    data: NDArray[np.uint8],
    start: Integer,
    end: Integer,
    shape: Shape,
    group: Integer,
    mark: Integer,
    memory: Memory,
) -> int:
    """Fill `memory.found` with the features of `data[start:end]`, each once; returns how many there are.

    Args:
        data: UTF-8; bytes that are none count as U+FFFD.
        start: Where the text begins.
        end: Where it ends; no more than `shape.bytes` are read.
        shape: Which features.
        group: The text's group, -1 for none.
        mark: What else is known of it, -1 for nothing.
        memory: `memory_for(shape)`, left clean.
    """
    codes, words, found, seen = memory.codes, memory.words, memory.found, memory.seen
    size, total = normalise(data, start, min(end, start + shape.bytes), codes, words)
    shift = shift_of(shape.buckets)
    salt = fold(_OF_GROUP, np.uint64(group + 1))
    ngrams = 2 * (shape.most - shape.least + 1) if shape.most else 0
    mask = slots_for(size * ngrams + total * (shape.words + shape.gap) + 4) - 1
    seen[-1] += np.uint64(1)
    stamp = seen[-1] << np.uint64(32)
    count = 0
    if shape.most and size > 1:
        for first in range(size):
            state = FNV_OFFSET
            for length in range(1, min(shape.most, size - first) + 1):
                state = (state ^ np.uint64(codes[first + length - 1])) * FNV_PRIME
                if length >= shape.least:
                    count = _add(state, shift, found, seen, mask, stamp, count)
                    if group >= 0:
                        count = _add(state ^ salt, shift, found, seen, mask, stamp, count)
    for first in range(total):
        value = _OF_WORDS
        for length in range(min(shape.words, total - first)):
            value = fold(value, words[first + length])
            count = _add(value, shift, found, seen, mask, stamp, count)
        for apart in range(2, min(shape.gap + 2, total - first)):
            value = fold(fold(_OF_GAP, words[first]), words[first + apart])
            count = _add(value, shift, found, seen, mask, stamp, count)
    if group >= 0:
        count = _add(salt, shift, found, seen, mask, stamp, count)
    if mark >= 0:
        value = fold(_OF_MARK, np.uint64(mark))
        count = _add(value, shift, found, seen, mask, stamp, count)
        if group >= 0:
            count = _add(value ^ salt, shift, found, seen, mask, stamp, count)
    return count


@kernel
def _add(
    value: np.uint64,
    shift: np.uint64,
    found: NDArray[np.int32],
    seen: NDArray[np.uint64],
    mask: int,
    stamp: np.uint64,
    count: int,
) -> int:
    """Append a feature that is not there yet; how many there are then."""
    # Fibonacci hashing (D. Knuth, The Art of Computer Programming 3, section 6.4): the highest bits of a product.
    bucket = (value * GOLDEN) >> shift
    entry = stamp | bucket
    slot = np.int64(bucket) & mask
    while seen[slot] >> _HALF == stamp >> _HALF:
        if seen[slot] == entry:
            return count
        slot = (slot + 1) & mask
    seen[slot] = entry
    found[count] = np.int32(bucket)
    return count + 1
