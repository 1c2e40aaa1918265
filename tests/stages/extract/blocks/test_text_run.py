from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.extract.blocks import text_run as run
from lauter.stages.extract.markup import name_hash


def counted(text: str, *, links: int = 0) -> tuple[dict[str, int], list[int]]:
    data = np.frombuffer(text.encode(), np.uint8)
    row, terms = np.zeros(run.COLUMNS, np.int32), np.zeros(run.MAX_TERMS, np.uint64)
    assert run.count_text(data, 0, len(data), row, terms, links) == row[run.CHARS]
    names = ["CHARS", "WORDS", "LINKED", "STOPS", "COMMAS", "DIGITS", "CAPITALS", "SYMBOLS", "LAST", "WIDE", "LETTERS"]
    return {name: int(row[getattr(run, name)]) for name in names}, terms[: row[run.TERMS]].tolist()


def test_a_sentence() -> None:
    found, terms = counted("Two dogs, 12\u00a0cats &amp; a bird.", links=1)
    assert terms == [name_hash(word) for word in ("two", "dogs", "cats", "a", "bird")]
    assert found | {"SYMBOLS": 0} == {
        "CHARS": 21, "WORDS": 5, "LINKED": 21, "STOPS": 1, "COMMAS": 1, "DIGITS": 2, "CAPITALS": 1, "SYMBOLS": 0,
        "LAST": 3, "WIDE": 0, "LETTERS": 16,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "last"),
    [("a", 1), ("7", 2), ("?", 3), ("。", 3), ("，", 4), (":", 5), ("»", 6), ("-", 7), ("…", 8), ("а", 1)],
)
def test_what_stands_last(text: str, last: int) -> None:
    assert counted("x " + text)[0]["LAST"] == last


def test_scripts_without_spaces_are_counted_by_letter() -> None:
    assert counted("日本語。")[0]["WIDE"] == 3
    assert counted("ไทย")[0]["WIDE"] == 3
    assert counted("한국")[0]["WIDE"] == 0


@settings(max_examples=150, deadline=None)
@given(st.text("aB1. ,\t\n\u00a0é日", max_size=40))
def test_equals_regular_expressions(text: str) -> None:
    found, terms = counted(text)
    words = re.findall("[aBé日]+", text)
    assert found["CHARS"] == len("".join(text.split()))
    assert found["WORDS"] == len(words) and found["DIGITS"] == text.count("1")
    assert found["CAPITALS"] == sum(word[0] == "B" for word in words)
    assert found["LETTERS"] == sum(map(len, words))
    assert (
        terms
        == [name_hash(word.lower() if word.isascii() else word.replace("B", "b")) for word in words][: run.MAX_TERMS]
    )


@pytest.mark.parametrize("blank", [" \n\t", "\u00a0", "&nbsp;", "&#160;", " &nbsp;\u00a0 "])
def test_blanks(blank: str) -> None:
    data = np.frombuffer((blank + "x").encode(), np.uint8)
    assert run.after_blank(data, 0, len(data)) == len(data) - 1
    assert counted(blank)[0]["CHARS"] == 0
