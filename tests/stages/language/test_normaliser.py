"""The normaliser is what its docstring says, written out in Python, on any text; on its own results it does nothing."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.kernels.characters import LETTER, MARK, expand_classes, expand_lower
from lauter.stages.language.normaliser import APOSTROPHES, OMITTED, normalise

CLASSES, LOWER = expand_classes(), expand_lower()
# Python's own Unicode is older: it would not compose what it does not know.
KNOWN = [
    chr(code)
    for code in range(0x110000)
    if not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) not in ("Cn", "Co")
]
MARKS = [char for char in KNOWN if unicodedata.category(char)[0] == "M"]
LETTERS = [char for char in KNOWN if unicodedata.category(char)[0] == "L"]


def run(texts: list[bytes]) -> list[str]:
    data = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    offsets.setflags(write=False)
    made = normalise(data, offsets)
    return [made.data[made.offsets[i] : made.offsets[i + 1]].tobytes().decode() for i in range(len(texts))]


def in_python(text: str) -> str:
    text = text.translate({ord(char): None for char in OMITTED} | {ord(char): "'" for char in APOSTROPHES})
    text = "".join(chr(ord(char) + LOWER[ord(char)]) for char in text).replace("ς", "σ")
    words = "".join(char if CLASSES[ord(char)] & (LETTER | MARK) or char in "'-" else " " for char in text).split(" ")
    made = []
    for word in words:
        if any(CLASSES[ord(char)] & LETTER for char in word):
            word = re.sub("i\u0307+", "i", unicodedata.normalize("NFD", word))
            made.append(unicodedata.normalize("NFC", word).strip("-"))
    return " ".join(made)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Hello, World!", "hello world"),
        ("  Ein\nTag\u3000mit 3 Äpfeln ", "ein tag mit äpfeln"),
        ("don’t ʻokina Fa‘a", "don't 'okina fa'a"),
        ("-mit- - -- ' '-' Nord-Ost", "mit nord-ost"),
        ("İstanbul I\u0307zmir i\u0315\u0307x", "istanbul izmir i\u0315x"),
        ("ΛΟΓΟΣ λόγος", "λογοσ λόγοσ"),
        ("H\u0331 A\u030a \u212b", "ẖ å å"),
        ("한국어 \u1112\u1161\u11ab", "한국어 한"),
        ("\u0958 q\u0307\u0323", "\u0915\u093c q\u0323\u0307"),
        ("می‌خواهم soft\u00adhyphen", "میخواهم softhyphen"),
        ("❤\ufe0f 3\u20e3 \u0301", ""),
        ("བོད་སྐད", "བོད སྐད"),
        ("東京都、こんにちは。", "東京都 こんにちは"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert run([text.encode()]) == [expected]
    assert in_python(text) == expected


CHARACTERS = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(MARKS),
    st.sampled_from(LETTERS),
    st.sampled_from([*APOSTROPHES, *OMITTED, *" '-.iIİ\u0307σςΣabZ\u0301\n", "\u1112", "\u1161", "\u11ab"]),
)


@given(st.lists(st.text(CHARACTERS, max_size=14), min_size=1, max_size=5))
def test_any_text(texts: list[str]) -> None:
    made = run([text.encode() for text in texts])
    assert made == [in_python(text) for text in texts]
    assert run([text.encode() for text in made]) == made


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_bytes_that_are_not_utf8_end_a_word(texts: list[bytes]) -> None:
    made = run(texts)
    assert run([text.encode() for text in made]) == made
    for text, result in zip(texts, made, strict=True):
        if text.isascii():
            assert result == in_python(text.decode())


def test_a_broken_byte_is_a_space() -> None:
    assert run([b"Ha\xc3 us", b"\xff\xfeAb\xe0\xb8", "über".encode()[1:]]) == ["ha us", "ab", "ber"]


def test_results_that_are_longer_than_the_text() -> None:
    # U+0958 is two characters in form C, and U+023A is a byte longer in lower case.
    text = "\u0958" * 500 + " " + "\u023a" * 500
    assert run([text.encode()]) == ["\u0915\u093c" * 500 + " " + "\u2c65" * 500]
