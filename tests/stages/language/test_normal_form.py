"""Normalisation form C is Python's on all that its version of Unicode knows."""

from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.normal_form import CHANGES, EXPANSION, compose, decompose, property_of, tables

ASSIGNED = [
    code
    for code in range(0x110000)
    if not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) not in ("Cn", "Co")
]
MARKS = [code for code in ASSIGNED if unicodedata.combining(chr(code))]
CHANGING = [code for code in ASSIGNED if unicodedata.normalize("NFD", chr(code)) != chr(code)]
JAMO = list(range(0x1100, 0x1200))


def forms(text: str) -> tuple[str, str]:
    """Canonical decomposition and form C of a text."""
    codes = np.array([ord(char) for char in text], np.int32)
    parts, classes = np.empty(EXPANSION * len(codes), np.int32), np.empty(EXPANSION * len(codes), np.uint8)
    size = decompose(codes, len(codes), tables(), parts, classes)
    decomposed = "".join(map(chr, parts[:size]))
    size = compose(parts, classes, size, tables())
    return decomposed, "".join(map(chr, parts[:size]))


def test_every_character_that_changes() -> None:
    text = "".join(f"{chr(code)}." for code in CHANGING)
    decomposed, composed = forms(text)
    assert decomposed == unicodedata.normalize("NFD", text)
    assert composed == unicodedata.normalize("NFC", text)


def test_every_mark_has_its_class() -> None:
    found = [property_of(code, tables()) & 255 for code in ASSIGNED]
    assert found == [unicodedata.combining(chr(code)) for code in ASSIGNED]


def test_what_is_not_marked_to_change_is_in_form_c() -> None:
    plain = [code for code in ASSIGNED if not property_of(code, tables()) & CHANGES]
    assert all(unicodedata.normalize("NFC", chr(code)) == chr(code) for code in plain)
    # After an e, which composes with more marks than any other letter, they stay what they are.
    starters = "".join(f"e{chr(code)}" for code in plain if not unicodedata.combining(chr(code)))
    assert unicodedata.normalize("NFC", starters) == starters


CHARACTERS = st.one_of(*(st.sampled_from(pool).map(chr) for pool in (ASSIGNED, MARKS, CHANGING, JAMO)))


@given(st.text(CHARACTERS, min_size=1, max_size=12))
def test_any_text(text: str) -> None:
    assert forms(text) == (unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text))


@given(st.lists(st.sampled_from(MARKS), min_size=33, max_size=90), st.sampled_from("aei"))
def test_long_runs_of_marks(marks: list[int], letter: str) -> None:
    text = f"{letter}{''.join(map(chr, marks))}{letter}"
    assert forms(text) == (unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text))


def test_time_does_not_grow_with_the_square_of_a_run() -> None:
    # By insertion these are 2.5e11 moves, some minutes.
    text = "a" + "\u0301\u0323" * 500_000
    assert forms(text)[1] == "\u1ea1" + "\u0323" * 499_999 + "\u0301" * 500_000
