"""From a text to the mean of the rows of its features, as fastText takes it: words, character n-grams, word n-grams.

The features of a text are those of Dictionary::getLine (fastText 0.9.2). Words end at a space, line feed, carriage
return, tab, vertical tab, form feed or zero byte. A text is one line: a line feed in it is a separator like the others.
Its end counts as the word `</s>`, and a `</s>` in the text ends it. A word of the dictionary is a row; every word,
written `<word>`, has its n-grams of `minn` to `maxn` UTF-8 characters, each hashed to one of `bucket` rows; words that
begin with `__label__` are no features.

The rows of one word are summed first, in the order of fastText, and then the words in the order of the text. Sums of
words are remembered from one text to the next: most words of a text are frequent ones, and a word has some twenty rows
of up to a kilobyte each, all over a matrix that no cache holds. A remembered sum is the sum that would be made again,
so the memory changes no result, and neither do the size of batches or the texts before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.fasttext.dictionary import equal, find
from lauter.stages.language.fasttext.prefetch import LINE, prefetch
from lauter.stages.language.fasttext.read import Model, Rows, Words, hash_bytes
from lauter.stages.language.fasttext.rows import add_rows

END = np.frombuffer(b"</s>", np.uint8)
"""The word at the end of each text."""
_PREFIX = np.frombuffer(b"__label__", np.uint8)

_KEY = 32
"""Bytes of the longest word that is remembered. Longer ones are few, or whole sentences in scripts without spaces."""
_REMEMBERED = 1 << 17
"""Words whose sums are remembered, 64 bytes and those of a row each: 142 MB for rows of 256 numbers. The sums of
frequent words are in the processor's cache, and to fetch that of another from memory is one row and not twenty."""
_MOST_REMEMBERED = 192 << 20
"""Bytes of them: fewer words where a row has more than some 368 numbers, as 131,072 of a model's 16,384 are 8.6 GB."""
_WAYS = 4
"""Places that a word may have. With one, frequent words push each other out."""
_LENGTH, _COUNT, _SUM = _KEY // 4, _KEY // 4 + 1, 16
"""Columns of an entry of the memory, after the word."""
_AHEAD = 64
"""Words that are found, and whose sums are asked for, before the first is added."""
_ROWS = 256
"""Rows that are found before they are added."""

_HASH_MASK = np.uint64(0xFFFFFFFF)
_HASH_START = np.uint64(2166136261)
_HASH_FACTOR = np.uint64(16777619)
_SIGN = np.uint64(0xFFFFFF00)
_NGRAM_FACTOR = np.uint64(116049371)  # Dictionary::addWordNgrams
_NO_FEATURE = -1


class Features(NamedTuple):
    """What a model's features are."""

    words: Words
    pruned: NDArray[np.int32]
    is_pruned: bool
    rows: Rows
    bucket: np.uint64
    minn: int
    maxn: int
    word_ngrams: int


class Memory(NamedTuple):
    """Sums of words. A word has four places, side by side; the last entry is for what is not kept.

    An entry is one run of memory, seen as three types: the word (32 bytes), its length (0: no word), how many rows it
    has (-1: it is no feature), and from column 16 the sum.
    """

    tags: NDArray[np.uint32]
    """Shape (entries,): hash of the word."""
    bytes: NDArray[np.uint8]
    """Shape (entries + 1, 4 * columns)."""
    numbers: NDArray[np.int32]
    """Shape (entries + 1, columns)."""
    sums: NDArray[np.float32]
    """Shape (entries + 1, columns)."""


def features_of(model: Model) -> Features:
    """The features of `model`."""
    return Features(
        model.words, model.pruned, model.is_pruned, model.rows, np.uint64(model.bucket), model.minn, model.maxn,
        model.word_ngrams,
    )  # fmt: skip


def memory_for(model: Model) -> Memory:
    """An empty memory for the words of `model`."""
    # A last part that is shorter than the others is filled up.
    columns = max(model.dim, model.rows.codes.shape[1] * model.rows.centroids.shape[2])
    columns = _SUM + -(-columns // 16) * 16
    kept = min(_REMEMBERED, _MOST_REMEMBERED // (4 * columns) // _WAYS * _WAYS)
    sums = np.zeros((kept + 1, columns), np.float32)
    return Memory(np.zeros(kept, np.uint32), sums.view(np.uint8), sums.view(np.int32), sums)


@kernel
def mean_rows(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    features: Features,
    memory: Memory,
    hidden: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """The mean of the rows of the features of n texts.

    Args:
        data: UTF-8 bytes of all texts. Any bytes are taken: a byte 10xxxxxx belongs to the character before it.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        features: Of the model.
        memory: Sums of words of earlier texts; changed.
        hidden: Shape (n, dim), filled.
        counts: Shape (n,), filled: features of each text. Where there is none, `hidden` is 0.
    """
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    scratch = np.empty(longest + 2, np.uint8)
    wanted = np.empty(_ROWS, np.int64)
    hashes = np.empty(longest // 2 + 2 if features.word_ngrams > 1 else 0, np.uint64)
    starts, lengths, states = np.empty(_AHEAD, np.int64), np.empty(_AHEAD, np.int64), np.empty(_AHEAD, np.uint64)
    total = np.empty(memory.sums.shape[1] - _SUM, np.float32)
    single = np.empty(total.size, np.float32)
    end_row = find(features.words, END, 0, END.size, hash_bytes(END, 0, END.size))
    if end_row >= features.words.words:
        end_row = -1
    tags, keys, numbers, sums = memory.tags, memory.bytes, memory.numbers, memory.sums
    kept = tags.size
    sets = np.uint64(kept // _WAYS)
    turn = 0
    for text in range(offsets.size - 1):
        total[:] = 0
        count, words = 0, 0
        at, ended = offsets[text], False
        while not ended:
            at, found, ended = next_words(data, at, offsets[text + 1], tags, sums, starts, lengths, states)
            for index in range(found):
                start, length, state = starts[index], lengths[index], states[index]
                entry, way = kept, _WAYS
                if length <= _KEY:
                    entry, way = int(state % sets) * _WAYS, 0
                    while way < _WAYS:
                        if tags[entry] == state and numbers[entry, _LENGTH] == length:
                            same = 0
                            while same < length and keys[entry, same] == data[start + same]:
                                same += 1
                            if same == length:
                                break
                        entry += 1
                        way += 1
                if way == _WAYS:
                    if length <= _KEY:
                        turn += 1
                        entry -= 1 + turn % _WAYS
                    numbers[entry, _COUNT] = sum_word(
                        data, start, start + length, state, features, scratch, wanted, single
                    )
                    for column in range(single.size):
                        sums[entry, _SUM + column] = single[column]
                    if entry < kept:
                        tags[entry] = state
                        numbers[entry, _LENGTH] = length
                        for place in range(length):
                            keys[entry, place] = data[start + place]
                if numbers[entry, _COUNT] != _NO_FEATURE:
                    count += numbers[entry, _COUNT]
                    for column in range(total.size):
                        total[column] += sums[entry, _SUM + column]
                    if features.word_ngrams > 1:
                        hashes[words] = signed(state)
                        words += 1
        if end_row >= 0:
            wanted[0] = end_row
            add_rows(features.rows, wanted, 1, total)
            count += 1
        if features.word_ngrams > 1:
            hashes[words] = signed(hash_bytes(END, 0, END.size))
            count += add_word_ngrams(features, hashes[: words + 1], wanted, total)
        counts[text] = count
        share = np.float32(1.0 / count) if count else np.float32(0)
        for column in range(hidden.shape[1]):
            hidden[text, column] = total[column] * share


@kernel
def next_words(
    data: NDArray[np.uint8],
    at: Integer,
    end: Integer,
    tags: NDArray[np.uint32],
    sums: NDArray[np.float32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    states: NDArray[np.uint64],
) -> tuple[Integer, int, bool]:
    """Find the next words of a text, and ask for what is remembered of them.

    Args:
        data: All texts.
        at: The byte to begin at.
        end: The byte after the text.
        tags: Of the memory.
        sums: Of the memory.
        starts: Shape (64,), filled: first byte of each word.
        lengths: Shape (64,), filled: its bytes.
        states: Shape (64,), filled: its hash.

    Returns:
        The byte to go on at, how many words were found, and whether the text ends with them.
    """
    sets = np.uint64(tags.size // _WAYS)
    found = 0
    while found < starts.size:
        while at < end and is_separator(data[at]):
            at += 1
        if at == end:
            return at, found, True
        start, state = at, _HASH_START
        while at < end and not is_separator(data[at]):
            byte = np.uint64(data[at])
            if byte >= np.uint64(128):
                byte |= _SIGN
            state = ((state ^ byte) * _HASH_FACTOR) & _HASH_MASK
            at += 1
        if equal(data, start, at - start, END, 0, END.size):
            return at, found, True
        first = int(state % sets) * _WAYS
        for entry in range(first, first + _WAYS):
            if tags[entry] == state:
                for line in range(4):
                    prefetch(sums, entry, line * LINE)
        starts[found], lengths[found], states[found] = start, at - start, state
        found += 1
    return at, found, False


@kernel
def sum_word(
    data: NDArray[np.uint8],
    start: Integer,
    end: Integer,
    state: np.uint64,
    features: Features,
    scratch: NDArray[np.uint8],
    wanted: NDArray[np.int64],
    total: NDArray[np.float32],
) -> int:
    """Set `total` to the sum of the rows of the word `data[start:end]`, whose hash is `state`.

    Args:
        data: All texts.
        start: The first byte of the word.
        end: The byte after it.
        state: `hash_bytes` of the word.
        features: Of the model.
        scratch: At least two bytes more than the word has; overwritten.
        wanted: Shape (256,), overwritten.
        total: Shape (columns,), filled.

    Returns:
        How many rows there are; -1 for a label, which is no feature.
    """
    total[:] = 0
    row = find(features.words, data, start, end, state)
    if row >= features.words.words:
        return _NO_FEATURE
    if row < 0 and equal(data, start, min(end - start, _PREFIX.size), _PREFIX, 0, _PREFIX.size):
        return _NO_FEATURE
    count, waiting = 0, 0
    if row >= 0:
        wanted[0] = row
        add_rows(features.rows, wanted, 1, total)
        count = 1
    minn, maxn = features.minn, features.maxn
    size = end - start + 2
    scratch[0] = 60  # <
    for at in range(start, end):
        scratch[at - start + 1] = data[at]
    scratch[size - 1] = 62  # >
    for first in range(size):
        if scratch[first] & 0xC0 == 0x80:
            continue
        folded = _HASH_START
        at, chars = first, 0
        while at < size and chars < maxn:
            while True:
                byte = np.uint64(scratch[at])
                if byte >= np.uint64(128):
                    byte |= _SIGN
                folded = ((folded ^ byte) * _HASH_FACTOR) & _HASH_MASK
                at += 1
                if at == size or scratch[at] & 0xC0 != 0x80:
                    break
            chars += 1
            if chars < minn or (chars == 1 and (first == 0 or at == size)):
                continue
            if waiting == wanted.size:
                count += add_hashes(features, wanted, waiting, total)
                waiting = 0
            wanted[waiting] = np.int64(folded)
            waiting += 1
    return count + add_hashes(features, wanted, waiting, total)


@kernel
def add_word_ngrams(
    features: Features, hashes: NDArray[np.uint64], wanted: NDArray[np.int64], total: NDArray[np.float32]
) -> int:
    """Add the rows of all runs of 2 to `word_ngrams` words to `total`; how many they are.

    Args:
        features: Of the model.
        hashes: Shape (words,): the hash of each word of the text, extended by its sign.
        wanted: Shape (256,), overwritten.
        total: Shape (columns,), changed.
    """
    count, waiting = 0, 0
    for first in range(hashes.size):
        folded = hashes[first]
        for last in range(first + 1, min(hashes.size, first + features.word_ngrams)):
            folded = folded * _NGRAM_FACTOR + hashes[last]
            if waiting == wanted.size:
                count += add_hashes(features, wanted, waiting, total)
                waiting = 0
            wanted[waiting] = np.int64(folded)
            waiting += 1
    return count + add_hashes(features, wanted, waiting, total)


@kernel
def add_hashes(features: Features, wanted: NDArray[np.int64], waiting: int, total: NDArray[np.float32]) -> int:
    """Add the rows of the n-grams with the hashes `wanted[:waiting]` to `total`; how many are not pruned away.

    `wanted` is overwritten. What lies far away is asked for as soon as it is known.
    """
    words, bucket, pruned = features.words.words, features.bucket, features.pruned
    codes, norm_codes, dense = features.rows.codes, features.rows.norm_codes, features.rows.dense
    count = waiting
    if features.is_pruned:
        count = 0
        if pruned.size == 0:
            return 0
        for index in range(waiting):
            wanted[index] = np.int64(np.uint64(wanted[index]) % bucket)
            prefetch(pruned, wanted[index], 0)
        for index in range(waiting):
            row = np.int64(pruned[wanted[index]])
            if row >= 0:
                wanted[count] = words + row
                count += 1
    else:
        for index in range(waiting):
            wanted[index] = words + np.int64(np.uint64(wanted[index]) % bucket)
    if codes.shape[0]:
        for index in range(count):
            prefetch(codes, wanted[index], 0)
            prefetch(norm_codes, wanted[index], 0)
    else:
        # The processor follows a run of memory that was begun: two lines of 64 bytes make a row of 256 numbers come as
        # fast as all sixteen.
        for index in range(count):
            prefetch(dense, wanted[index], 0)
            prefetch(dense, wanted[index], LINE)
    add_rows(features.rows, wanted, count, total)
    return count


@kernel
def is_separator(byte: np.uint8) -> bool:
    """Whether a byte ends a word (Dictionary::readWord)."""
    return bool(byte <= 32 and (byte == 32 or byte == 0 or 9 <= byte <= 13))


@kernel
def signed(state: np.uint64) -> np.uint64:
    """A 32-bit hash extended by its sign: fastText keeps it in an int32 between."""
    return state | np.uint64(0xFFFFFFFF00000000) if state >= np.uint64(0x80000000) else state
