"""Large numbers as people write them: 15T, 4815e9, 2_000_000."""

from __future__ import annotations

import re
from math import inf
from typing import Annotated

from pydantic import BeforeValidator, Field

SUFFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_PATTERN = re.compile(r"(\d[\d_]*(?:\.\d+)?)(?:[eE]\+?(\d{1,2}))?([kKMBGT]?)")


def quantity(value: object) -> int:
    """A positive whole number from one, or from text with a decimal point, an exponent and a suffix k, M, B (or G), T.

    Raises `ValueError` for anything else.

    >>> [quantity(text) for text in ("15T", "4815e9", "1.5B", 7)]
    [15000000000000, 4815000000000, 1500000000, 7]
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value < inf and value == int(value):
        return int(value)
    match = _PATTERN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no number of things; write it as 15T, 4815e9, 200M or 2_000_000")
    digits, exponent, suffix = match.groups()
    whole, _, decimals = digits.replace("_", "").partition(".")
    power = int(exponent or 0) - len(decimals)
    scaled = int(whole + decimals) * SUFFIXES[suffix]
    found: int = scaled * 10**power if power >= 0 else scaled // 10**-power
    if found < 1:
        raise ValueError(f"{value!r} is less than one")
    return found


Quantity = Annotated[int, BeforeValidator(quantity), Field(ge=1)]


def shown(value: float) -> str:
    """A number with three digits and its suffix.

    >>> [shown(number) for number in (0, 12.34, 999_942, 1_230_000, 15e12)]
    ['0', '12.3', '1M', '1.23M', '15T']
    """
    return _shown(value, ("", "k", "M", "B", "T"))


def shown_bytes(value: float) -> str:
    """Bytes with three digits and their unit, decimal.

    >>> [shown_bytes(number) for number in (0, 4096, 1_048_000_000)]
    ['0 B', '4.1 kB', '1.05 GB']
    """
    return _shown(value, (" B", " kB", " MB", " GB", " TB"))


def _shown(value: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if float(f"{value:.3g}") < 1000:
            return f"{float(f'{value:.3g}'):g}{unit}"
        value /= 1000
    return f"{float(f'{value:.3g}'):,g}{units[-1]}"
