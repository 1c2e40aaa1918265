"""The counts behind every quality score of a batch of documents. Ratios are taken outside, in exact integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import (
    ASCII_CLASS,
    LETTER,
    PUNCTUATION,
    Integer,
    character_class,
    decode,
    lower,
)
from lauter.stages.kernels.lines import (
    characters,
    ends_with_ellipsis,
    ends_with_terminal,
    line_spans,
    span_hash,
    starts_with_bullet,
)
from lauter.stages.kernels.repetition import DUPLICATE_ORDERS, TOP_ORDERS, ngram_repetition, repeats
from lauter.stages.kernels.segmentation import in_dictionary
from lauter.stages.kernels.words import FNV_OFFSET, FNV_PRIME, finish_hash, next_cut_word

# Columns of what `measure` returns.
CHARACTERS = 0
"""Code points without U+000A."""
NEWLINES = 1
WORDS = 2
"""All words as `words.next_cut_word` cuts them."""
IDEOGRAPHS = 3
"""Of these, single letters of East Asian scripts without spaces for which there is no dictionary (Yi, Bopomofo, …)."""
SYLLABLES = 4
"""Of these, the same of South East Asian scripts (Tai Tham, New Tai Lue, Javanese, …)."""
SYMBOL_WORDS = 5
"""Words of punctuation and symbols only."""
ALPHABETIC_WORDS = 6
"""Words with at least one letter."""
WORD_CHARACTERS = 7
"""Code points of the words that are neither single letters nor symbols only."""
STOP_WORDS = 8
"""Distinct stop words that occur."""
HASHES = 9
ELLIPSES = 10
LINES = 11
"""Lines that are not blank."""
BULLET_LINES = 12
ELLIPSIS_LINES = 13
TERMINAL_LINES = 14
SHORT_LINES = 15
DUPLICATE_LINES = 16
DUPLICATE_LINE_CHARACTERS = 17
PARAGRAPHS = 18
DUPLICATE_PARAGRAPHS = 19
DUPLICATE_PARAGRAPH_CHARACTERS = 20
TOP_NGRAMS = 21
DUPLICATE_NGRAMS = TOP_NGRAMS + TOP_ORDERS
ALL_LINES = DUPLICATE_NGRAMS + DUPLICATE_ORDERS
"""Lines, blank ones too: what stands between two U+000A, and nothing behind the last."""
COLUMNS = ALL_LINES + 1

IDEOGRAPHS_PER_WORD = 2
"""Letters of a script without dictionary that count as a word: as in Chinese, where a word has 1.5 to 1.7."""
SYLLABLES_PER_WORD = 3
"""The same in South East Asia: words of Thai, Lao, Khmer and Burmese have about 3 letters, marks not counted."""

MAX_STOP_WORDS = 64
"""Stop words of one language, at most: each has a bit."""

_ONE = np.uint64(1)
_LOW_6 = np.uint64(63)
_NEWLINE, _HASH, _FULL_STOP = 0x0A, 0x23, 0x2E


@kernel
def is_syllabic(code: Integer) -> bool:
    """Whether an unspaced letter belongs to a South East Asian script (by block) and not to an East Asian one."""
    return bool(code < 0x2E80 or 0xA980 <= code < 0xAAE0 or 0x11700 <= code < 0x11750)


@kernel
def count_symbols(data: NDArray[np.uint8], start: Integer, end: Integer, row: NDArray[np.int64]) -> None:
    """Count newlines, "#" and ellipses (U+2026, or three full stops) of `data[start:end]` into `row`."""
    stops = 0
    for index in range(start, end):
        byte = data[index]
        if byte == _FULL_STOP:
            stops += 1
            continue
        row[ELLIPSES] += stops // 3
        stops = 0
        if byte == _NEWLINE:
            row[NEWLINES] += 1
        elif byte == _HASH:
            row[HASHES] += 1
        elif byte == 0xE2 and index + 2 < end and data[index + 1] == 0x80 and data[index + 2] == 0xA6:
            row[ELLIPSES] += 1
    row[ELLIPSES] += stops // 3
    row[CHARACTERS] = characters(data, start, end) - row[NEWLINES]


@kernel
def count_lines(data: NDArray[np.uint8], start: Integer, end: Integer, short: int, row: NDArray[np.int64]) -> None:
    """Count lines and paragraphs of `data[start:end]` into `row`; a short line has at most `short` code points.

    Lines are compared, measured and looked at from behind as they are written, with the white space at their ends; a
    bullet and an ellipsis are looked for without it. So does datatrove: stripped lines decide otherwise on 4 of 927
    pages.
    """
    spans, paragraphs = line_spans(data, start, end)
    lines = len(spans)
    keys = np.empty(lines, np.uint64)
    sizes = np.empty(lines, np.int64)
    count = paragraphs[-1] + 1 if lines else 0
    paragraph_keys = np.zeros(count, np.uint64)
    paragraph_sizes = np.zeros(count, np.int64)
    for index in range(lines):
        first, last = spans[index]
        left, right = first, last
        while left > start and data[left - 1] != _NEWLINE:
            left -= 1
        while right < end and data[right] != _NEWLINE:
            right += 1
        keys[index] = span_hash(data, left, right)
        sizes[index] = characters(data, left, right)
        paragraph = paragraphs[index]
        paragraph_keys[paragraph] = (paragraph_keys[paragraph] ^ keys[index]) * FNV_PRIME
        paragraph_sizes[paragraph] += sizes[index]
        row[BULLET_LINES] += starts_with_bullet(data, first, last)
        row[ELLIPSIS_LINES] += ends_with_ellipsis(data, first, last)
        row[TERMINAL_LINES] += ends_with_terminal(data, left, right)
        row[SHORT_LINES] += sizes[index] <= short
    row[LINES] = lines
    row[ALL_LINES] = row[NEWLINES] + (end > start and data[end - 1] != _NEWLINE)
    row[PARAGRAPHS] = count
    row[DUPLICATE_LINES], row[DUPLICATE_LINE_CHARACTERS] = repeats(keys, sizes)
    row[DUPLICATE_PARAGRAPHS], row[DUPLICATE_PARAGRAPH_CHARACTERS] = repeats(paragraph_keys, paragraph_sizes)


@kernel
def count_words(
    data: NDArray[np.uint8],
    start: Integer,
    end: Integer,
    begins: NDArray[np.uint8],
    stop_words: NDArray[np.uint64],
    flags: int,
    row: NDArray[np.int64],
) -> None:
    """Count words and n-grams of `data[start:end]` into `row`.

    `begins` is that of `segmentation.word_begins`; `stop_words` are hashes by `words.hash_whole` with `flags`, at most
    MAX_STOP_WORDS: FOLD_CASE and DROP_PUNCTUATION, or 0 for words as they are written.
    """
    keys = np.empty((end - start + 1) // 2, np.uint64)
    sizes = np.empty((end - start + 1) // 2, np.int64)
    likely = np.uint64(0)
    for key in stop_words:
        likely |= _ONE << (key & _LOW_6)
    found = np.uint64(0)
    count, unspaced = 0, 0
    position = start
    while True:
        first, position, alone = next_cut_word(data, position, end, begins)
        if first == position:
            break
        unspaced += alone != 0
        state, folded = FNV_OFFSET, FNV_OFFSET
        kinds: Integer = 0
        plain, size = 0, 0
        head: Integer = 0
        while first < position:
            byte = data[first]
            if byte < 0x80:
                code: Integer = np.int64(byte)
                kind: Integer = ASCII_CLASS[byte]
                small = code + 0x20 if 0x41 <= code <= 0x5A else code
                first += 1
            else:
                code, width = decode(data, first, position)
                kind = character_class(code)
                small = lower(code)
                first += width
            if size == 0:
                head = code
            size += 1
            kinds |= kind
            state = (state ^ np.uint64(code)) * FNV_PRIME
            if not kind & PUNCTUATION:
                plain += 1
                folded = (folded ^ np.uint64(small)) * FNV_PRIME
        keys[count] = finish_hash(state)
        sizes[count] = size
        count += 1
        row[ALPHABETIC_WORDS] += kinds & LETTER != 0
        if alone and not in_dictionary(head):
            if is_syllabic(head):
                row[SYLLABLES] += 1
            else:
                row[IDEOGRAPHS] += 1
        elif plain:
            row[WORD_CHARACTERS] += size
        else:
            row[SYMBOL_WORDS] += 1
        if plain or not flags:
            folded = finish_hash(folded) if flags else keys[count - 1]
            if likely >> (folded & _LOW_6) & _ONE:
                for index in range(len(stop_words)):
                    if stop_words[index] == folded:
                        found |= _ONE << np.uint64(index)
    row[WORDS] = count
    while found:
        found &= found - _ONE
        row[STOP_WORDS] += 1
    stride, space = 1, 1
    if 2 * unspaced > count:
        space = 0
    if 2 * (row[IDEOGRAPHS] + row[SYLLABLES]) > count:
        stride = IDEOGRAPHS_PER_WORD if row[IDEOGRAPHS] >= row[SYLLABLES] else SYLLABLES_PER_WORD
    top, duplicate = ngram_repetition(keys[:count], sizes[:count], stride, space)
    row[TOP_NGRAMS : TOP_NGRAMS + TOP_ORDERS] = top
    row[DUPLICATE_NGRAMS : DUPLICATE_NGRAMS + DUPLICATE_ORDERS] = duplicate


@kernel
def measure(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    begins: NDArray[np.uint8],
    short: int,
    stop_words: NDArray[np.uint64],
    stop_spans: NDArray[np.int64],
    flags: int,
) -> NDArray[np.int64]:
    """Counts of each text, shape (texts, COLUMNS).

    `offsets` and `data` as in `words.TextBuffers`; `begins` and `flags` as in `count_words`; `short` in code points;
    the stop words of text i are `stop_words[stop_spans[i, 0]:stop_spans[i, 1]]`.
    """
    counts = np.zeros((len(offsets) - 1, COLUMNS), np.int64)
    for index in range(len(counts)):
        start, end = offsets[index], offsets[index + 1]
        row = counts[index]
        count_symbols(data, start, end, row)
        count_lines(data, start, end, short, row)
        count_words(data, start, end, begins, stop_words[stop_spans[index, 0] : stop_spans[index, 1]], flags, row)
    return counts
