from __future__ import annotations

import html

from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.character_references import resolved


def test_a_number_of_any_length_is_resolved() -> None:
    for zeros in (0, 10, 3_998, 5_000):
        assert resolved(f"a&#{'0' * zeros}98;c&#{'0' * zeros}233 e") == "abcé e"
    for digits in (7, 8, 4_001, 100_000):
        assert resolved(f"&#{'9' * digits};&#{'2' * digits}x") == "\ufffd\ufffdx"
    assert resolved("&#" + "0" * 5_000) == "\ufffd"
    assert resolved("&#x" + "0" * 5_000 + "41;") == "A"


@given(st.text("&#;x019aclt ", max_size=40))
def test_others_are_those_of_the_standard_library(text: str) -> None:
    assert resolved(text) == html.unescape(text)
