from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import characters as ch
from lauter.stages.kernels import words

CLASSES = ch.expand_classes()
LOWER = ch.expand_lower()
MASK = 2**64 - 1

unhurried = settings(deadline=None)  # the first call compiles

# Every plane, and often the characters that decide how words are cut.
anything = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(" \n\t\u3000\u200b\u200d\u0f0b漢字かカーไทยกิ\u0e34မြန်ខ្មែ\u0301aZéÉİßẞ0٣९.,、。𠀀𐐀😀\ufe0f한"),
    )
)


def view(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(text.encode(), np.uint8)


def twin_words(text: str) -> list[str]:
    """Words by the definition, one character at a time."""
    found: list[str] = []
    current = ""
    alone = False
    for char in text:
        kind = int(CLASSES[ord(char)])
        if kind & ch.SEPARATOR:
            found.append(current)
            current = ""
        elif kind & ch.UNSPACED:
            found.append(current)
            current, alone = char, True
        elif current and alone and not kind & ch.MARK:
            found.append(current)
            current, alone = char, False
        else:
            alone = alone and bool(current)
            current += char
    return [word for word in [*found, current] if word]


def twin_hashes(text: str, flags: int) -> list[int]:
    hashes = []
    for word in twin_words(text):
        state, kept = 0xCBF29CE484222325, 0
        for char in word:
            kind = int(CLASSES[ord(char)])
            if flags & words.DROP_PUNCTUATION and kind & ch.PUNCTUATION:
                continue
            code = ord("0") if flags & words.FOLD_DIGITS and kind & ch.DIGIT else ord(char)
            if flags & words.FOLD_CASE:
                code += int(LOWER[code])
            state = (state ^ code) * 0x100000001B3 & MASK
            kept += 1
        if kept:
            state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD & MASK
            state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53 & MASK
            hashes.append(state ^ state >> 33)
    return hashes


def cut(text: str) -> list[str]:
    data = view(text)
    return [bytes(data[start:stop]).decode() for start, stop in words.word_spans(data, 0, len(data))]


def test_the_tables_agree_with_unicodedata_on_every_character_that_python_knows() -> None:
    spaces = {0x1C, 0x1D, 0x1E, 0x1F}  # str.isspace() has them, White_Space has not
    wrong = 0
    for code in range(0x110000):
        char, kind = chr(code), int(CLASSES[code])
        category = unicodedata.category(char)
        if category in {"Cn", "Cs", "Co"}:
            continue
        expected = (
            (category[0] == "L") * ch.LETTER
            + (category[0] == "M" or code in {0x200C, 0x200D}) * ch.MARK
            + (category == "Nd") * ch.DIGIT
            + ((category[0] in "PS" or category == "Cc") and not kind & ch.WHITE_SPACE) * ch.PUNCTUATION
            + (char.isspace() and code not in spaces) * ch.WHITE_SPACE
        )
        seen = kind & (ch.LETTER | ch.MARK | ch.DIGIT | ch.PUNCTUATION | ch.WHITE_SPACE)
        if seen != expected or ch.character_class(code) != kind:
            wrong += 1
    assert wrong == 0


def test_lower_is_the_simple_mapping() -> None:
    for code in range(0x110000):
        full = chr(code).lower()
        assert ch.lower(code) == code + LOWER[code]
        # One character has a longer full mapping; what Unicode 15 and later added, the tables leave alone.
        if LOWER[code] or unicodedata.ucd_3_2_0.category(chr(code)) != "Cn":
            assert chr(ch.lower(code)) == (full if code != 0x130 else "i")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße, 世界!", ["Grüße,", "世", "界", "!"]),
        ("abc漢字def", ["abc", "漢", "字", "def"]),
        ("กินข้าว ไทย", ["กิ", "น", "ข้", "า", "ว", "ไ", "ท", "ย"]),
        ("བོད་སྐད་ ok", ["བོད", "སྐད", "ok"]),
        ("カード", ["カ", "ー", "ド"]),
        ("\u304c\u304b\u3099", ["\u304c", "\u304b\u3099"]),
        ("한국어 문서", ["한국어", "문서"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("ሰላም፡ለዓለም", ["ሰላም", "ለዓለም"]),
        ("2024年5月", ["2024", "年", "5", "月"]),
        ("a\u200bb\u00a0c\u3000d", ["a", "b", "c", "d"]),
        ("\u0301a", ["\u0301a"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@unhurried
@given(anything)
def test_spans_are_those_of_the_twin(text: str) -> None:
    assert cut(text) == twin_words(text)


@unhurried
@given(anything, st.integers(0, 7))
def test_hashes_are_those_of_the_twin(text: str, flags: int) -> None:
    data = view("x " + text + " y")
    assert words.word_hashes(data, 2, len(data) - 2, flags).tolist() == twin_hashes(text, flags)


def test_the_hash_is_frozen() -> None:
    """Signatures of earlier years are compared with those of today: these numbers never change."""
    data = view("The Straße, 世٣!")
    assert [f"{key:016x}" for key in words.word_hashes(data, 0, len(data), 0)] == FROZEN_PLAIN
    assert [f"{key:016x}" for key in words.word_hashes(data, 0, len(data), 7)] == FROZEN_FOLDED


FROZEN_PLAIN = ["a7798e38670051b6", "009fe975cab23471", "659f38ae50949d3d", "5663dcf4c85116e7"]
FROZEN_FOLDED = ["cb3ff435b889fb31", "b021aa62c5226866", "659f38ae50949d3d", "c1e42af088ff1b2c"]


@unhurried
@given(st.binary(max_size=40), st.binary(max_size=4))
def test_bytes_that_are_no_text_are_read_within_bounds(text: bytes, rest: bytes) -> None:
    data = np.frombuffer(text + rest, np.uint8)
    spans = words.word_spans(data, 0, len(text))
    assert ((spans[:, 0] < spans[:, 1]) & (spans[:, 1] <= len(text))).all()
    assert (spans[1:, 0] >= spans[:-1, 1]).all()
    assert np.array_equal(spans, words.word_spans(np.frombuffer(text, np.uint8), 0, len(text)))
    position = 0
    while position < len(text):
        code, width = ch.decode(data, position, len(text))
        assert 0 <= code < 0x110000
        assert 1 <= width <= len(text) - position
        position += width


@unhurried
@given(st.characters(codec="utf-8"))
def test_decode_inverts_utf_8(char: str) -> None:
    data = view(char)
    assert ch.decode(data, 0, len(data)) == (ord(char), len(data))
    if len(data) > 1:
        assert ch.decode(data, 0, len(data) - 1) == (ch.REPLACEMENT, 1)


@unhurried
@given(
    st.lists(st.one_of(st.none(), anything), max_size=6),
    st.integers(0, 6),
    st.sampled_from([pa.string(), pa.large_string()]),
)
def test_buffers_are_the_rows_of_any_slice(texts: list[str | None], start: int, type_: pa.DataType) -> None:
    array = pa.array(texts, type_)[start:]
    offsets, data = words.text_buffers(array)
    assert offsets.dtype == np.int64
    assert len(offsets) == len(array) + 1
    assert not offsets.flags.writeable
    assert not data.flags.writeable
    rows = [bytes(data[first:last]).decode() for first, last in pairwise(offsets)]
    assert rows == [text or "" for text in texts[start:]]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["1998", "10:42", "٣٤", "a1", "²", "x", "--", "漢", "七"]), max_size=12))
def test_numbers_are_words_of_digits_only(found: list[str]) -> None:
    data = np.frombuffer(" ".join(found).encode(), np.uint8)
    hashes, numbers = words.hash_words(data, 0, len(data), words.DROP_PUNCTUATION | words.FOLD_DIGITS)
    assert numbers == sum(word in {"1998", "10:42", "٣٤"} for word in found)
    assert hashes.tolist() == words.word_hashes(data, 0, len(data), words.DROP_PUNCTUATION | words.FOLD_DIGITS).tolist()


def test_buffers_share_the_bytes() -> None:
    array = pa.array(["one", "two"], pa.large_string())
    _, data = words.text_buffers(array)
    buffer = array.buffers()[2]
    assert buffer is not None
    assert data.ctypes.data == buffer.address
    with pytest.raises(TypeError, match="int64"):
        words.text_buffers(pa.array([1]))
