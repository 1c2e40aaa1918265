"""Counts behind C4's rules: which lines of a text C4 keeps, and what stands in them.

Raffel et al. 2020 (JMLR 21:140, section 2.2) and the published code of C4: a line is kept if it has no word of more
than 1,000 characters, ends in terminal punctuation but not in an ellipsis, has three words, and speaks neither of
Javascript nor of cookies and terms of use; citations as Wikipedia has them ([1], [edit]) are not looked at. Here lines
are counted, and no text is changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import ASCII_CLASS, WHITE_SPACE, Integer, character_class, decode, one_of
from lauter.stages.kernels.lines import characters, strip
from lauter.stages.kernels.sentences import sentence_spans

# Columns of what `measure_c4` returns.
CHARACTERS = 0
"""Code points of all lines, white space at their ends left out."""
KEPT_CHARACTERS = 1
"""Code points of the lines that are kept, without citations."""
SENTENCES = 2
"""Sentences of the lines that are kept, by `sentences`."""
LOREM_IPSUM = 3
"""Lines with "lorem ipsum" that nothing had removed."""
CURLY_BRACKETS = 4
"""Lines with "{" that nothing had removed."""
COLUMNS = 5

_NEWLINE, _OPEN, _CLOSE, _CURLY, _STOP = 0x0A, 0x5B, 0x5D, 0x7B, 0x2E


def _phrases(*texts: str) -> NDArray[np.uint8]:
    """Texts in lower case as rows of bytes, zeros behind them."""
    found = np.zeros((len(texts), max(map(len, texts)) + 1), np.uint8)
    for row, text in enumerate(texts):
        found[row, : len(text)] = np.frombuffer(text.encode(), np.uint8)
    return found


_LOREM = _phrases("lorem ipsum")
_JAVASCRIPT = _phrases("javascript")
_POLICY = _phrases("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_CITATIONS = _phrases("[edit]", "[citation needed]")
LOREM, JAVASCRIPT, CURLY, POLICY = 1, 2, 4, 8
"""Bits of `marks_of`."""
_FIRST = np.zeros(256, np.uint8)
for _letters, _mark in (("lL", LOREM), ("jJ", JAVASCRIPT), ("tTpPcCuU", POLICY)):
    _FIRST[[ord(letter) for letter in _letters]] = _mark
# . ? ! " '
_ENDS = np.array([0x2E, 0x3F, 0x21, 0x22, 0x27], np.int64)


@kernel
def length_at(data: NDArray[np.uint8], start: Integer, end: Integer, phrases: NDArray[np.uint8], fold: int) -> int:
    """Bytes of the first of some phrases that stands at `start`, 0 for none; `fold`: 0x20 reads A to Z as a to z."""
    for row in range(len(phrases)):
        size = 0
        while phrases[row, size] and start + size < end:
            byte = data[start + size]
            if 0x41 <= byte <= 0x5A:
                byte |= fold
            if byte != phrases[row, size]:
                break
            size += 1
        if not phrases[row, size]:
            return size
    return 0


@kernel
def marks_of(data: NDArray[np.uint8], start: Integer, end: Integer) -> int:
    """What `data[start:end]` speaks of, in any case: a sum of LOREM, JAVASCRIPT, CURLY and POLICY.

    One look at each byte: a phrase is compared only where its first letter stands.
    """
    found = 0
    for position in range(start, end):
        byte = data[position]
        if byte == _CURLY:
            found |= CURLY
            continue
        kind = _FIRST[byte]
        if kind == LOREM and length_at(data, position, end, _LOREM, 0x20):
            found |= LOREM
        elif kind == JAVASCRIPT and length_at(data, position, end, _JAVASCRIPT, 0x20):
            found |= JAVASCRIPT
        elif kind == POLICY and length_at(data, position, end, _POLICY, 0x20):
            found |= POLICY
    return found


@kernel
def without_citations(data: NDArray[np.uint8], start: Integer, end: Integer, out: NDArray[np.uint8]) -> int:
    """Copy `data[start:end]` without [1], [], [edit] and [citation needed] into `out`; returns the bytes copied."""
    size = 0
    position = start
    while position < end:
        if data[position] == _OPEN:
            stop = position + 1
            while stop < end and 0x30 <= data[stop] <= 0x39:
                stop += 1
            if stop < end and data[stop] == _CLOSE:
                position = stop + 1
                continue
            skipped = length_at(data, position, end, _CITATIONS, 0)
            if skipped:
                position += skipped
                continue
        out[size] = data[position]
        size += 1
        position += 1
    return size


@kernel
def count_words(data: NDArray[np.uint8], start: Integer, end: Integer) -> tuple[int, int]:
    """How many words stand between white space, and the code points of the longest."""
    words, longest, size = 0, 0, 0
    position = start
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind: Integer = ASCII_CLASS[byte]
            width = 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if kind & WHITE_SPACE:
            size = 0
        else:
            words += size == 0
            size += 1
            longest = max(longest, size)
        position += width
    return words, longest


@kernel
def ends_as_sentence(data: NDArray[np.uint8], end: Integer) -> bool:
    """Whether `data[:end]` ends with one of . ? ! " ' and not with three full stops."""
    if not end:
        return False
    if end >= 3 and data[end - 1] == _STOP and data[end - 2] == _STOP and data[end - 3] == _STOP:
        return False
    return one_of(np.int64(data[end - 1]), _ENDS)


@kernel
def count_line(
    data: NDArray[np.uint8],
    start: Integer,
    end: Integer,
    rules: NDArray[np.int64],
    line: NDArray[np.uint8],
    row: NDArray[np.int64],
) -> None:
    """Count one line into `row`; `rules` as in `measure_c4`, `line` is room for it."""
    row[CHARACTERS] += characters(data, start, end)
    words, longest = count_words(data, start, end)
    if 0 <= rules[2] < longest:
        return
    size = without_citations(data, start, end, line)
    if (rules[0] and not ends_as_sentence(line, size)) or words < rules[1]:
        return
    marks = marks_of(line, 0, size)
    if marks & LOREM:
        row[LOREM_IPSUM] += 1
        return
    if rules[3] and marks & JAVASCRIPT:
        return
    row[CURLY_BRACKETS] += marks & CURLY != 0
    if rules[4] and marks & POLICY:
        return
    row[KEPT_CHARACTERS] += characters(line, 0, size)
    row[SENTENCES] += len(sentence_spans(line, 0, size))


@kernel
def measure_c4(offsets: NDArray[np.int64], data: NDArray[np.uint8], rules: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of each text, shape (texts, COLUMNS); `offsets` and `data` as in `words.TextBuffers`.

    `rules`, shape (5,): whether lines must end a sentence; words that a line has at least; code points that a word has
    at most, below 0 for any number; whether lines with "javascript" go; whether those about cookies and terms do.
    """
    counts = np.zeros((len(offsets) - 1, COLUMNS), np.int64)
    for index in range(len(counts)):
        start, end = offsets[index], offsets[index + 1]
        line = np.empty(end - start, np.uint8)
        position = start
        while position < end:
            stop = position
            while stop < end and data[stop] != _NEWLINE:
                stop += 1
            first, last = strip(data, position, stop)
            if first < last:
                count_line(data, first, last, rules, line, counts[index])
            position = stop + 1
    return counts
