from __future__ import annotations

import doctest
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.report import display, drawing
from lauter.pipeline.report.display import NAME_CHARACTERS, count, share, size, visible


def test_the_examples_hold() -> None:
    for module in (display, drawing):
        result = doctest.testmod(module)
        assert result.attempted and not result.failed


@given(st.integers(0, 10**15))
def test_counts_and_sizes_read_back(value: int) -> None:
    assert int(count(value).replace(",", "")) == value
    number, unit = size(value).split(" ")
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit)
    assert len(number.replace(".", "")) <= 3
    assert abs(float(number) * factor - value) <= 0.005 * value


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_share_is_never_nothing_for_something_nor_all_for_a_part(part: int, rest: int) -> None:
    text = share(part, part + rest)
    if part + rest == 0:
        assert text == "–"
    else:
        assert (text == "0.0 %") == (part == 0)
        assert (text == "100.0 %") == (rest == 0)
        assert abs(float(text.strip("<>% ")) - 100 * part / (part + rest)) <= 0.1


@given(st.text(st.characters(codec=None, exclude_categories=[]), max_size=200))
def test_nothing_invisible_is_left_and_what_is_plain_stays(name: str) -> None:
    text = visible(name)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)
    assert text.encode().decode() == text
    if text == name:
        assert len(name) <= NAME_CHARACTERS
    if name.isascii() and name.isprintable() and len(name) <= NAME_CHARACTERS:
        assert text == name
