"""Features against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.classifier.features import Shape, find_features, memory_for
from lauter.stages.kernels import characters as ch

CLASSES, LOWER = ch.expand_classes(), ch.expand_lower()
MASK = 2**64 - 1
BASIS, PRIME, GOLDEN = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15
TEXT = st.text(st.sampled_from("aB1é-.' \n中文ไทกิ가🙂\u0301٣"), max_size=24)
SHAPES = st.sampled_from(
    [Shape(1 << 16, 2, 0, 3, 5, 400), Shape(1 << 12, 3, 2, 1, 2, 400), Shape(1 << 8, 1, 0, 1, 0, 400)]
)


def finish(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def fold(state: int, value: int) -> int:
    return finish(((state * GOLDEN + GOLDEN) & MASK) ^ value)


def fnv(points: list[int]) -> int:
    state = BASIS
    for point in points:
        state = (state ^ point) * PRIME & MASK
    return state


def read(text: str) -> tuple[list[int], list[int]]:
    """The row of characters, and the hashes of the words."""
    words: list[str] = []
    row, word = " ", ""
    for char in text:
        code = ord(char) + int(LOWER[ord(char)])
        kind = int(CLASSES[code])
        folded = "0" if kind & ch.DIGIT else chr(code)
        in_word = kind & (ch.LETTER | ch.MARK | ch.DIGIT) and not kind & ch.UNSPACED
        if not in_word:
            words, word = [*words, *[word] * bool(word)], ""
        if kind & ch.SEPARATOR:
            row += " "
        elif kind & ch.UNSPACED:
            row, words = row + folded, [*words, folded]
        elif in_word:
            row, word = row + folded, word + folded
        else:
            row, words = row + f" {folded} ", [*words, folded]
    words += [word] * bool(word)
    row = " " + " ".join(row.split(" ")).strip(" ") + " "
    while "  " in row:
        row = row.replace("  ", " ")
    return [ord(char) for char in row], [finish(fnv([ord(char) for char in each])) for each in words]


def twin(text: str, shape: Shape, group: int, mark: int) -> set[int]:
    row, words = read(text)
    hashes = set()
    salt = fold(3, group + 1)
    if shape.most and len(row) > 1:
        for first in range(len(row)):
            for length in range(shape.least, min(shape.most, len(row) - first) + 1):
                state = fnv(row[first : first + length])
                hashes |= {state, state ^ salt} if group >= 0 else {state}
    for first in range(len(words)):
        value = 1
        for word in words[first : first + shape.words]:
            value = fold(value, word)
            hashes.add(value)
        hashes |= {
            fold(fold(2, words[first]), words[first + apart])
            for apart in range(2, shape.gap + 2)
            if first + apart < len(words)
        }
    if group >= 0:
        hashes.add(salt)
    if mark >= 0:
        hashes |= {fold(4, mark), fold(4, mark) ^ salt} if group >= 0 else {fold(4, mark)}
    bits = shape.buckets.bit_length() - 1
    return {(value * GOLDEN & MASK) >> (64 - bits) for value in hashes}


def features(text: bytes, shape: Shape, group: int = -1, mark: int = -1) -> list[int]:
    memory = memory_for(shape)
    data = np.frombuffer(text, np.uint8)
    count = find_features(data, 0, len(data), shape, group, mark, memory)
    again = find_features(data, 0, len(data), shape, group, mark, memory)
    assert count == again
    return [int(bucket) for bucket in memory.found[:count]]


@given(TEXT, SHAPES, st.integers(-1, 2), st.integers(-1, 2))
@settings(deadline=None, max_examples=150)  # the first call compiles
def test_features_equal_plain_python(text: str, shape: Shape, group: int, mark: int) -> None:
    found = features(text.encode(), shape, group, mark)
    assert len(found) == len(set(found))
    assert set(found) == twin(text, shape, group, mark)


@given(st.binary(max_size=60), SHAPES)
@settings(deadline=None)
def test_bytes_that_are_no_utf8_do_no_harm(text: bytes, shape: Shape) -> None:
    assert all(0 <= bucket < shape.buckets for bucket in features(text, shape, 0, 0))


@pytest.mark.parametrize("text", ["-" * 400, "a-" * 200, "-a " * 133, "1" * 400])
def test_the_memory_holds_the_worst_text(text: str) -> None:
    shape = Shape(1 << 20, 4, 4, 1, 8, 400)
    assert set(features(text.encode(), shape, 1, 1)) == twin(text, shape, 1, 1)


def test_only_so_many_bytes_are_read() -> None:
    shape = Shape(1 << 16, 2, 0, 2, 3, 64)
    assert features(b"a" * 64 + b" never", shape) == features(b"a" * 64, shape)


def test_a_text_of_nothing_has_no_feature() -> None:
    shape = Shape(1 << 16, 2, 0, 3, 5, 64)
    assert features(b"", shape) == []
    assert len(features(b"", shape, 0)) == 1
