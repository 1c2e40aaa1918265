"""The shadow of a column against plain Python, and the way back."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.kernels.characters import DIGIT, expand_classes
from lauter.stages.pii import Pii
from lauter.stages.pii.folding import ZEROS, fold, unfold
from lauter.stages.pii.spans import Match

CHARACTERS = "a1\u0661\u06f9\u0967\uff10\uff19\uff0b\uff20\uff21\u0e40\u4e2d\u00e9\U0001d7ff\U0001f600"
TEXTS = st.lists(st.text(CHARACTERS, max_size=8) | st.just("x" * 150) | st.just("\u0661" * 70), max_size=5)


def column(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # Starts behind other bytes, as a slice does.
    return np.frombuffer(b"\xef\xbc" + b"".join(texts), np.uint8), np.cumsum([2, *map(len, texts)]).astype(np.int64)


def plain(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return {"\uff0b": "+", "\uff20": "@"}.get(character, character if value is None else str(value))


def test_the_digits_are_those_of_the_character_table() -> None:
    digits = set(np.flatnonzero(expand_classes() & DIGIT).tolist())
    assert list(ZEROS) == sorted(ZEROS)
    assert digits == {zero + value for zero in (0x30, *ZEROS) for value in range(10)}
    known = [zero for zero in ZEROS if unicodedata.category(chr(zero)) == "Nd"]
    assert all(unicodedata.decimal(chr(zero + value)) == value for zero in known for value in range(10))


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_shadow_and_way_back_equal_plain_python(texts: list[str]) -> None:
    data, offsets = column([text.encode() for text in texts])
    expected = ["".join(map(plain, text)) for text in texts]
    shadow = fold(data, offsets)
    if shadow is None:
        assert expected == texts
        return
    assert expected != texts
    rows = [row for row, text in enumerate(texts) if text != expected[row]]
    assert shadow.rows.tolist() == rows
    assert shadow.data.tobytes() == "".join(expected[row] for row in rows).encode()
    assert np.diff(shadow.offsets).tolist() == [len(expected[row].encode()) for row in rows]
    matches, back = [], []
    for number, row in enumerate(rows):
        text, ascii_ = texts[row], expected[row]
        for place in range(len(text)):
            start, end = (int(shadow.offsets[number]) + len(ascii_[:at].encode()) for at in (place, place + 1))
            matches.append(Match(number, start, end, 0, "x"))
            start, end = (int(offsets[row]) + len(text[:at].encode()) for at in (place, place + 1))
            back.append(Match(row, start, end, 0, "x"))
    assert unfold(data, offsets, shadow, matches) == back


@given(st.lists(st.binary(max_size=90), max_size=4), st.integers(0, 90))
@settings(deadline=None)
def test_bytes_that_are_no_utf8_do_no_harm(texts: list[bytes], cut: int) -> None:
    texts = [text + "\u0661\uff20".encode()[: cut % 6] for text in texts]
    data, offsets = column(texts)
    shadow = fold(data, offsets)
    if shadow is not None:
        edges = shadow.offsets.tolist()
        whole = [Match(row, edges[row], edges[row + 1], 0, "x") for row in range(len(edges) - 1)]
        found = [(match.start, match.end) for match in unfold(data, offsets, shadow, whole)]
        assert found == [(int(offsets[row]), int(offsets[row + 1])) for row in shadow.rows]


ARABIC_INDIC = dict(zip("0123456789", map(chr, range(0x660, 0x66A)), strict=True))
DEVANAGARI = dict(zip("0123456789", map(chr, range(0x966, 0x970)), strict=True))
FULL_WIDTH = dict(zip("0123456789+@", map(chr, (*range(0xFF10, 0xFF1A), 0xFF0B, 0xFF20)), strict=True))


@pytest.mark.parametrize("script", [ARABIC_INDIC, DEVANAGARI, FULL_WIDTH])
@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("+41 44 668 18 00", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("foo1@bar.com", "email"),
        ("66.46.179.200", "ip"),
    ],
)
def test_what_is_written_in_other_digits_is_found_where_it_stands(
    pii: Pii, written: str, kind: str, script: dict[str, str]
) -> None:
    other = "".join(script.get(character, character) for character in written)
    text = f"\u4e2d {script['7']} {other} \u00e9"
    start = text.index(other)
    assert [(at, end, each) for at, end, each in pii.spans_of({"text": text}) if at >= 4] == [
        (start, start + len(other), kind)
    ]


def test_a_number_whose_check_digit_fails_stays(pii: Pii) -> None:
    assert pii.spans_of({"text": "".join(FULL_WIDTH[digit] for digit in "4111111111111112")}) == []
