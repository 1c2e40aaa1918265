from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.quantity import quantity, shown, shown_bytes


@given(st.integers(1, 10**18))
def test_whole_numbers_are_themselves(value: int) -> None:
    assert quantity(value) == quantity(str(value)) == quantity(f"{value:_}") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("15T", 15 * 10**12), ("4815e9", 4815 * 10**9), ("1.5B", 15 * 10**8), ("2.5k", 2500), (4815e9, 4815 * 10**9)],
)
def test_as_people_write_them(text: object, value: int) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize(
    "value", ["", "T", "-3", "0", 0, 1.5, True, None, "15 apples", "1e400", "0.0001k", [1], math.inf, math.nan]
)
def test_anything_else_is_told(value: object) -> None:
    with pytest.raises(ValueError, match=r"is no number of things|less than one"):
        quantity(value)


def test_shown_with_three_digits() -> None:
    assert [shown(value) for value in (0.0, 7, 999.6, 12_345, 4.8e12, 1.5e15)] == [
        "0", "7", "1k", "12.3k", "4.8T", "1,500T",
    ]  # fmt: skip
    assert [shown_bytes(value) for value in (5, 1e9, 65.1e12)] == ["5 B", "1 GB", "65.1 TB"]
