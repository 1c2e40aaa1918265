"""The counts of a document against a plain-Python reading of their definitions."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import quality as counted
from lauter.stages.kernels.characters import (
    LETTER,
    MARK,
    PUNCTUATION,
    SEPARATOR,
    TERMINAL,
    UNSPACED,
    WHITE_SPACE,
    expand_classes,
    expand_lower,
)
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, text_buffers, word_hashes

CLASSES = expand_classes()
LOWER = expand_lower()
SPACES = "".join(chr(code) for code in np.flatnonzero(CLASSES & WHITE_SPACE))
STOP_WORDS = ("the", "und", "é", "的", "die")
SHORT = 5

word = st.one_of(
    st.sampled_from(["the", "The,", "UND", "É", "的", "a", "b", "漢", "ไ", "กิ", "#", "...", "....", "…", "-", "• x", "."]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=4),
)
line = st.lists(word, max_size=12).map(" ".join)
texts = st.one_of(
    st.lists(st.one_of(line, st.sampled_from(["", "a b c d e.", "漢字漢字漢字", "ไทยไทยไทย"])), max_size=12).map("\n".join),
    st.lists(st.sampled_from("ab漢ไ \n"), max_size=120).map("".join),
)


def kind(char: str) -> int:
    return int(CLASSES[ord(char)])


def cut(text: str) -> list[str]:
    spaced = "".join(" " if kind(char) & SEPARATOR else char for char in text)
    pattern = "".join(f"{'u' if kind(c) & UNSPACED else 'm' if kind(c) & MARK else ' ' if c == ' ' else 'x'}" for c in spaced)
    return [spaced[found.start() : found.end()] for found in re.finditer(r"um*|[xm][xm]*", pattern)]


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
    syllables = [found for found in alone if ord(found[0]) < 0x2E80 or 0xA980 <= ord(found[0]) < 0xAAE0 or 0x11700 <= ord(found[0]) < 0x11750]
    plain = ["".join(chr(ord(c) + LOWER[ord(c)]) for c in found if not kind(c) & PUNCTUATION) for found in words]
    row[counted.CHARACTERS] = len(text) - text.count("\n")
    row[counted.NEWLINES] = text.count("\n")
    row[counted.WORDS] = len(words)
    row[counted.SYLLABLES] = len(syllables)
    row[counted.IDEOGRAPHS] = len(alone) - len(syllables)
    row[counted.ALPHABETIC_WORDS] = sum(any(kind(c) & LETTER for c in found) for found in words)
    row[counted.STOP_WORDS] = len(set(plain) & set(STOP_WORDS))
    for found, bare in zip(words, plain, strict=True):
        if not kind(found[0]) & UNSPACED:
            row[counted.WORD_CHARACTERS if bare else counted.SYMBOL_WORDS] += len(found) if bare else 1
    row[counted.HASHES] = text.count("#")
    row[counted.ELLIPSES] = text.count("…") + text.count("...")
    lines = [stripped for each in text.split("\n") if (stripped := each.strip(SPACES))]
    paragraphs = [
        [each.strip(SPACES) for each in run] for full, run in groupby(text.split("\n"), lambda each: each.strip(SPACES) != "") if full
    ]
    row[counted.LINES] = len(lines)
    row[counted.BULLET_LINES] = sum(each[0] in "-*·•‣◦▪●" for each in lines)
    row[counted.ELLIPSIS_LINES] = sum(each.endswith(("...", "…")) for each in lines)
    row[counted.TERMINAL_LINES] = sum(kind(each[-1]) & TERMINAL != 0 for each in lines)
    row[counted.SHORT_LINES] = sum(len(each) <= SHORT for each in lines)
    row[counted.DUPLICATE_LINES : counted.DUPLICATE_LINES + 2] = repeated(lines, [len(each) for each in lines])
    row[counted.PARAGRAPHS] = len(paragraphs)
    row[counted.DUPLICATE_PARAGRAPHS : counted.DUPLICATE_PARAGRAPHS + 2] = repeated(
        ["\n".join(each) for each in paragraphs], [sum(map(len, each)) for each in paragraphs]
    )
    stride, space = 1, 1
    if 2 * len(alone) > len(words):
        stride, space = 2 if 2 * len(syllables) <= len(alone) else 3, 0
    for order in range(2, 11):
        reach = order * stride
        found = [tuple(words[place : place + reach]) for place in range(len(words) - reach + 1)]
        if found and order < 5:
            best, times = Counter(found).most_common(1)[0]
            row[counted.TOP_NGRAMS + order - 2] = times * (sum(map(len, best)) + space * (order - 1))
        seen, place = set(), 0
        while order >= 5 and place < len(found):
            if found[place] in seen:
                row[counted.DUPLICATE_NGRAMS + order - 5] += sum(map(len, found[place]))
                place += reach - 1
            seen.add(found[place]) if place < len(found) and found[place] not in seen else None
            place += 1
    return row
