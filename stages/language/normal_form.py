"""Unicode normalisation form C as a kernel (UAX #15), by a table that is shipped.

Python's `unicodedata` is of another version of Unicode in each Python release, and the same text must give the same
features on every machine: the tables here are those of Unicode 18.0.0. The stability policy of Unicode promises that
the form of a text of assigned characters never changes; only newer scripts are added.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer

_CODE_POINTS = 0x110000
_PAGE = 256
CHANGES = 256
"""Bit of `Tables.value` for a character that form C does not have, or that may compose with the one before it."""
_CLASS = 255
_SHORT = 32
"""Marks in a run that are sorted by insertion. No language has more than a few; a page may have any number of them, and
the time for that grows with its square."""
# Hangul syllables are computed (the Unicode Standard, section 3.12).
_S, _L, _V, _T = 0xAC00, 0x1100, 0x1161, 0x11A7
_LS, _VS, _TS = 19, 21, 28
EXPANSION = 4
"""Characters that one character is decomposed to at most."""


class Tables(NamedTuple):
    """Properties by code point, in pages of 256 that are shared: value of c is `value[page[c >> 8] << 8 | c & 255]`."""

    page: NDArray[np.uint8]
    value: NDArray[np.uint16]
    """Canonical combining class in the lower eight bits, and `CHANGES`."""
    composed: NDArray[np.int64]
    """Shape (m,), rising: the characters that have a decomposition."""
    bounds: NDArray[np.int32]
    """Shape (m + 1,): `parts[bounds[i]:bounds[i + 1]]` is the full decomposition of `composed[i]`."""
    parts: NDArray[np.int32]
    pairs: NDArray[np.int64]
    """Shape (p,), rising: first << 21 | second of each pair that composes."""
    whole: NDArray[np.int32]
    """Shape (p,): what it composes to."""


@cache
def tables() -> Tables:
    """The tables of Unicode 18.0.0, read from the file beside this one."""
    values = np.zeros(_CODE_POINTS, np.uint16)
    mapped: dict[int, list[int]] = {}
    pairs: dict[int, int] = {}
    lines = resources.files(__package__).joinpath("normal-form.txt").read_text("utf-8").splitlines()
    for kind, head, *rest in (line.split() for line in lines if not line.startswith("#")):
        if kind == "class":
            for span in rest:
                first, _, last = span.partition("-")
                values[int(first, 16) : int(last or first, 16) + 1] = int(head)
            continue
        code, parts = int(head, 16), [int(part, 16) for part in rest]
        mapped[code] = parts
        if kind == "pair":
            pairs[parts[0] << 21 | parts[1]] = code
    for code, parts in mapped.items():
        if len(parts) == 1 or pairs.get(parts[0] << 21 | parts[1]) != code:
            values[code] |= CHANGES
    for pair in pairs:
        values[pair & 0x1FFFFF] |= CHANGES
    values[_V : _V + _VS] |= CHANGES
    values[_T + 1 : _T + _TS] |= CHANGES
    full = [_decomposed(code, mapped) for code in sorted(mapped)]
    pages: dict[bytes, int] = {}
    page = [pages.setdefault(block.tobytes(), len(pages)) for block in values.reshape(-1, _PAGE)]
    made = Tables(
        np.array(page, np.uint8),
        np.frombuffer(b"".join(pages), np.uint16).copy(),
        np.array(sorted(mapped), np.int64),
        np.cumsum([0, *(len(parts) for parts in full)]).astype(np.int32),
        np.array([part for parts in full for part in parts], np.int32),
        np.array(sorted(pairs), np.int64),
        np.array([pairs[pair] for pair in sorted(pairs)], np.int32),
    )
    for array in made:
        array.setflags(write=False)
    return made


def _decomposed(code: int, mapped: dict[int, list[int]]) -> list[int]:
    return [part for one in mapped[code] for part in (_decomposed(one, mapped) if one in mapped else [one])]


@kernel
def property_of(code: Integer, forms: Tables) -> Integer:
    """The combining class of a code point below 0x110000, and `CHANGES`."""
    return np.int64(forms.value[np.int64(forms.page[code >> 8]) << 8 | code & 255])


@kernel
def decompose(
    codes: NDArray[np.int32], count: int, forms: Tables, out: NDArray[np.int32], classes: NDArray[np.uint8]
) -> int:
    """The canonical decomposition of `codes[:count]` in canonical order, into `out`; its length.

    Args:
        codes: Code points.
        count: How many.
        forms: The tables.
        out: At least 4 * count entries, filled.
        classes: As many: combining class of each, filled.
    """
    size = 0
    for index in range(count):
        code = np.int64(codes[index])
        if _S <= code < _S + _LS * _VS * _TS:
            syllable = code - _S
            out[size] = _L + syllable // (_VS * _TS)
            out[size + 1] = _V + syllable // _TS % _VS
            classes[size] = classes[size + 1] = 0
            size += 2
            if syllable % _TS:
                out[size] = _T + syllable % _TS
                classes[size] = 0
                size += 1
            continue
        place = place_of(forms.composed, code)
        if place >= 0:
            for at in range(forms.bounds[place], forms.bounds[place + 1]):
                size = _append(out, classes, size, np.int64(forms.parts[at]), forms)
        else:
            size = _append(out, classes, size, code, forms)
    _order(out, classes, size)
    return size


@kernel
def _append(out: NDArray[np.int32], classes: NDArray[np.uint8], size: int, code: Integer, forms: Tables) -> int:
    """Put a code point behind the others; the new size."""
    out[size], classes[size] = code, property_of(code, forms) & _CLASS
    return size + 1


@kernel
def _order(codes: NDArray[np.int32], classes: NDArray[np.uint8], size: int) -> None:
    """Bring each run of marks in the order of their classes, equals as they are (Unicode, D109)."""
    first = 0
    while first < size:
        end = first
        while end < size and classes[end]:
            end += 1
        if end - first <= _SHORT:
            for index in range(first + 1, end):
                code, rank = codes[index], classes[index]
                at = index
                while at > first and classes[at - 1] > rank:
                    codes[at], classes[at] = codes[at - 1], classes[at - 1]
                    at -= 1
                codes[at], classes[at] = code, rank
        else:
            _sort_run(codes[first:end], classes[first:end])
        first = end + 1


@kernel
def _sort_run(codes: NDArray[np.int32], classes: NDArray[np.uint8]) -> None:
    """Sort a run of marks by class, in time that grows with its length alone."""
    before, ranks = codes.copy(), classes.copy()
    places = np.zeros(_CLASS + 2, np.int64)
    for rank in ranks:
        places[rank + 1] += 1
    for rank in range(_CLASS + 1):
        places[rank + 1] += places[rank]
    for index in range(ranks.size):
        place = places[ranks[index]]
        places[ranks[index]] += 1
        codes[place], classes[place] = before[index], ranks[index]


@kernel
def compose(codes: NDArray[np.int32], classes: NDArray[np.uint8], size: int, forms: Tables) -> int:
    """Compose the decomposed `codes[:size]`, of combining `classes`, in place; the new size (Unicode, D117)."""
    starter, kept = -1, 0
    last = np.int64(0)
    for index in range(size):
        code, rank = np.int64(codes[index]), np.int64(classes[index])
        # Blocked: something stands between that is no mark of a lower class.
        free = starter >= 0 and (kept == starter + 1 or (last < rank and last > 0))
        if free:
            whole = _pair(np.int64(codes[starter]), code, forms)
            if whole >= 0:
                codes[starter] = whole
                continue
        if rank == 0:
            starter = kept
        last = rank
        codes[kept], classes[kept] = code, rank
        kept += 1
    return kept


@kernel
def _pair(first: Integer, second: Integer, forms: Tables) -> Integer:
    """What two code points compose to, -1 for nothing."""
    if _L <= first < _L + _LS and _V <= second < _V + _VS:
        return _S + ((first - _L) * _VS + second - _V) * _TS
    if _S <= first < _S + _LS * _VS * _TS and (first - _S) % _TS == 0 and _T < second < _T + _TS:
        return first + second - _T
    pair = first << 21 | second
    place = place_of(forms.pairs, pair)
    return np.int64(forms.whole[place]) if place >= 0 else np.int64(-1)


@kernel
def place_of(rising: NDArray[np.int64], value: Integer) -> int:
    """The place of `value` in `rising`, -1 where it is not there."""
    low, high = 0, rising.size
    while low < high:
        middle = (low + high) // 2
        if rising[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < rising.size and rising[low] == value else -1
