"""How numbers and names are written on the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

NAME_CHARACTERS = 120
"""A name is cut here: host and file names come from the web and may be of any length."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def count(value: int) -> str:
    """An integer with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """A count and what is counted, whose plural takes an s.

    >>> counted(1, "record"), counted(2000, "record")
    ('1 record', '2,000 records')
    """
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A part in per cent of the whole, one decimal; what is there never reads as nothing, nor a part as the whole.

    >>> share(1, 3), share(1, 100_000), share(99_999, 100_000), share(0, 0)
    ('33.3 %', '<0.1 %', '>99.9 %', '–')
    """
    if not whole:
        return "–"
    text = f"{100 * part / whole:.1f}"
    if text == "0.0" and part:
        return "<0.1 %"
    if text == "100.0" and part < whole:
        return ">99.9 %"
    return f"{text} %"


def size(value: int) -> str:
    """Bytes in three digits with a decimal unit.

    >>> size(987), size(88_936_758), size(15_030_000_000_000)
    ('987 B', '88.9 MB', '15.0 TB')
    """
    if value < 1000:
        return f"{value} B"
    scaled, unit = value / 1000, "kB"
    for larger in ("MB", "GB", "TB", "PB"):
        if scaled < 999.5:
            break
        scaled, unit = scaled / 1000, larger
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {unit}"


def ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and numbers, largest first, equal ones by name; JSON keeps no such order.

    >>> ranked({"a": 1, "c": 2, "b": 2})
    [('b', 2), ('c', 2), ('a', 1)]
    """
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def visible(name: str, limit: int | None = NAME_CHARACTERS) -> str:
    r"""A name as it may stand on the page: invisible and direction-changing characters are spelled out, long ones cut.

    >>> visible("invoice\u202egpj.exe")
    'invoice⟨U+202E⟩gpj.exe'
    """
    cut = name if limit is None or len(name) <= limit else name[: limit - 1] + "…"
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in _INVISIBLE else c for c in cut)
