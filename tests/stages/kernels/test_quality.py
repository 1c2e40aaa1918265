"""The counts of a document against a plain-Python reading of their definitions."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import quality as counted
from lauter.stages.kernels.characters import (
    LETTER,
    PUNCTUATION,
    TERMINAL,
    UNSPACED,
    WHITE_SPACE,
    expand_lower,
)
from lauter.stages.kernels.segmentation import word_begins
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, hash_whole, text_buffers, word_hashes
from tests.stages.kernels.cutting import CLASSES, cut, in_dictionary, kind

LOWER = expand_lower()
SPACES = "".join(chr(code) for code in np.flatnonzero(CLASSES & WHITE_SPACE))
FOLDED = FOLD_CASE | DROP_PUNCTUATION
STOP_WORDS = ("the", "und", "é", "的", "die")
SHORT = 5

word = st.one_of(
    st.sampled_from(
        [
            *("the", "The,", "UND", "É", "的", "a", "b", "漢", "学习", "ไทย", "กิ", "ꆀ", "ꦧ"),
            *("#", "...", "....", "…", "-", "• x", "."),
        ]
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=4),
)
line = st.lists(word, max_size=12).map(" ".join)
texts = st.one_of(
    st.lists(
        st.one_of(
            line, st.sampled_from(["", "a b c d e.", "漢字漢字漢字", "ไทยไทยไทย", "ꦧꦧꦧꦧꦧꦧꦧꦧ", "ꆀꆀꆀꆀꆀꆀꆀꆀ"])
        ),
        max_size=12,
    ).map("\n".join),
    st.lists(st.sampled_from("ab漢ไ \n"), max_size=120).map("".join),
)


def repeated(elements: list[str], sizes: list[int]) -> tuple[int, int]:
    seen: set[str] = set()
    count = size = 0
    for element, length in zip(elements, sizes, strict=True):
        count += element in seen
        size += length * (element in seen)
        seen.add(element)
    return count, size


def twin(text: str) -> list[int]:
    row = [0] * counted.COLUMNS
    words = cut(text)
    alone = [found for found in words if kind(found[0]) & UNSPACED]
    heads = [ord(found[0]) for found in alone if not in_dictionary(found[0])]
    syllables = [code for code in heads if code < 0x2E80 or 0xA980 <= code < 0xAAE0 or 0x11700 <= code < 0x11750]
    plain = ["".join(chr(ord(c) + LOWER[ord(c)]) for c in found if not kind(c) & PUNCTUATION) for found in words]
    row[counted.CHARACTERS] = len(text) - text.count("\n")
    row[counted.NEWLINES] = text.count("\n")
    row[counted.WORDS] = len(words)
    row[counted.SYLLABLES] = len(syllables)
    row[counted.IDEOGRAPHS] = len(heads) - len(syllables)
    row[counted.ALPHABETIC_WORDS] = sum(any(kind(c) & LETTER for c in found) for found in words)
    row[counted.STOP_WORDS] = len(set(plain) & set(STOP_WORDS))
    for found, letters in zip(words, plain, strict=True):
        if not kind(found[0]) & UNSPACED or in_dictionary(found[0]):
            row[counted.WORD_CHARACTERS if letters else counted.SYMBOL_WORDS] += len(found) if letters else 1
    row[counted.HASHES] = text.count("#")
    row[counted.ELLIPSES] = text.count("…") + text.count("...")
    written = text.split("\n")
    lines = [each for each in written if each.strip(SPACES)]
    bare = [each.strip(SPACES) for each in lines]
    runs = groupby(written, lambda each: bool(each.strip(SPACES)))
    paragraphs = [list(run) for full, run in runs if full]
    row[counted.LINES] = len(lines)
    row[counted.ALL_LINES] = len(written) - (written[-1] == "")
    row[counted.BULLET_LINES] = sum(each[0] in "-*·•‣◦▪●" for each in bare)
    row[counted.ELLIPSIS_LINES] = sum(each.endswith(("...", "…")) for each in bare)
    row[counted.TERMINAL_LINES] = sum(kind(each[-1]) & TERMINAL != 0 for each in lines)
    row[counted.SHORT_LINES] = sum(len(each) <= SHORT for each in lines)
    row[counted.DUPLICATE_LINES : counted.DUPLICATE_LINES + 2] = repeated(lines, [len(each) for each in lines])
    row[counted.PARAGRAPHS] = len(paragraphs)
    row[counted.DUPLICATE_PARAGRAPHS : counted.DUPLICATE_PARAGRAPHS + 2] = repeated(
        ["\n".join(each) for each in paragraphs], [sum(map(len, each)) for each in paragraphs]
    )
    stride, space = 1, 0 if 2 * len(alone) > len(words) else 1
    if 2 * len(heads) > len(words):
        stride = 2 if 2 * len(syllables) <= len(heads) else 3

    def ngrams(order: int) -> list[tuple[str, ...]]:
        reach = order * stride
        return [tuple(words[place : place + reach]) for place in range(len(words) - reach + 1)]

    for order in range(2, 5):
        if grams := ngrams(order):
            best, times = Counter(grams).most_common(1)[0]
            row[counted.TOP_NGRAMS + order - 2] = times * (sum(map(len, best)) + space * (order - 1))
    for order in range(5, 11):
        grams, place = ngrams(order), 0
        seen: set[tuple[str, ...]] = set()
        while place < len(grams):
            if grams[place] in seen:
                row[counted.DUPLICATE_NGRAMS + order - 5] += sum(map(len, grams[place]))
                place += order * stride
            else:
                seen.add(grams[place])
                place += 1
    return row


@settings(deadline=None, max_examples=150)
@given(st.lists(texts, min_size=1, max_size=3))
def test_counts_are_those_of_the_twin(batch: list[str]) -> None:
    offsets, data = text_buffers(pa.array(["skipped", *batch], pa.large_string())[1:])
    listed = np.frombuffer(" ".join(STOP_WORDS).encode(), np.uint8)
    stop_words = word_hashes(listed, 0, len(listed), FOLDED)
    spans = np.tile([0, len(stop_words)], (len(batch), 1))
    begins = word_begins(offsets, data)
    counts = counted.measure(offsets, data, begins, SHORT, stop_words, spans, FOLDED)
    assert counts.tolist() == [twin(text) for text in batch]
    written = np.sort(np.array([hash_whole(np.frombuffer(word.encode(), np.uint8), 0, len(word.encode()), 0)
                                for word in STOP_WORDS], np.uint64))  # fmt: skip
    counts = counted.measure(offsets, data, begins, SHORT, written, spans, 0)
    assert counts[:, counted.STOP_WORDS].tolist() == [len(set(cut(text)) & set(STOP_WORDS)) for text in batch]


def test_a_text_has_only_its_own_stop_words() -> None:
    offsets, data = text_buffers(pa.array(["the die", "the die"], pa.large_string()))
    listed = np.frombuffer(b"the die", np.uint8)
    stop_words = word_hashes(listed, 0, len(listed), FOLDED)
    spans = np.array([[0, 1], [0, 0]])
    counts = counted.measure(offsets, data, word_begins(offsets, data), SHORT, stop_words, spans, FOLDED)
    assert counts[:, counted.STOP_WORDS].tolist() == [1, 0]
