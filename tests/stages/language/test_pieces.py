"""Pieces and lines of a text: nothing twice, nothing lost that fits, cut between characters and at spaces if it can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.kernels.characters import LETTER, UNSPACED, WHITE_SPACE, character_class
from lauter.stages.language.pieces import Units, lines, pieces, whole

TEXTS = st.lists(st.text(st.sampled_from("ab ü東\n𞤀."), max_size=150), max_size=5)


def buffers(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    encoded = [text.encode() for text in texts]
    data, offsets = np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    offsets.flags.writeable = False
    return data, offsets


def shown(units: Units) -> list[list[str]]:
    """The units of each document as text: what is cut within a character raises."""
    cut = [units.data[a:b].tobytes().decode() for a, b in zip(units.offsets, units.offsets[1:], strict=False)]
    return [cut[a:b] for a, b in zip(units.bounds, units.bounds[1:], strict=False)]


def is_space(char: str) -> bool:
    return bool(character_class(ord(char)) & WHITE_SPACE)


def plain_before(text: str, at: int, start: int) -> int:
    near = [place + 1 for place in range(max(start + 1, at - 40), at) if is_space(text[place])]
    return near[-1] if near else at


def plain_after(text: str, at: int, end: int) -> int:
    near = [place + 1 for place in range(at, min(at + 40, end - 1)) if is_space(text[place])]
    return near[0] if near else at


def plain_pieces(text: str, most: int) -> list[str]:
    if len(text) <= 3 * most:
        parts = -(-len(text) // most)
        cuts = [(part + 1) * len(text) // parts for part in range(parts - 1)]
        borders = [0]
        for cut in cuts:
            borders.append(plain_before(text, cut, borders[-1]))
        return [text[a:b] for a, b in zip(borders, [*borders[1:], len(text)], strict=True)] if parts else []
    head, tail = plain_before(text, most, 0), plain_after(text, len(text) - most, len(text))
    sizes = np.cumsum([0, *(len(char.encode()) for char in text)])
    middle = int(np.searchsorted(sizes, (sizes[head] + sizes[tail]) // 2, side="right")) - 1
    middle = plain_after(text, max(head, middle - most // 2), tail)
    stop = min(middle + most, tail)
    return [text[:head], text[middle : stop if stop == tail else plain_before(text, stop, middle)], text[tail:]]


@settings(deadline=None)  # the first call compiles
@given(TEXTS, st.integers(1, 60))
def test_kernel_equals_plain_python(texts: list[str], most: int) -> None:
    assert shown(pieces(*buffers(texts), most)) == [plain_pieces(text, most) for text in texts]


@settings(deadline=None)
@given(TEXTS, st.integers(1, 60))
def test_pieces_are_short_and_in_order_and_a_text_that_fits_is_whole(texts: list[str], most: int) -> None:
    for text, found in zip(texts, shown(pieces(*buffers(texts), most)), strict=True):
        if len(text) <= 3 * most:
            assert "".join(found) == text
        else:
            assert len(found) == 3
            assert text.startswith(found[0]) and text.endswith(found[2])
            assert found[1] in text[len(found[0]) : len(text) - len(found[2])]
        # A cut that moves to a space gives the piece behind it what it takes from the one before.
        assert all(0 < len(piece) <= most + 40 for piece in found)


def test_head_middle_and_tail() -> None:
    words = " ".join(f"w{number:05d}" for number in range(1000))
    ((head, middle, tail),) = shown(pieces(*buffers([words]), 70))
    assert head.split() == [f"w{number:05d}" for number in range(10)]
    assert tail.split() == [f"w{number:05d}" for number in range(990, 1000)]
    assert {f"w{number:05d}" for number in range(497, 503)} <= set(middle.split())
    assert all(len(word) == 6 for word in middle.split())


@pytest.mark.parametrize(
    ("length", "parts"), [(0, 0), (1, 1), (70, 1), (71, 2), (140, 2), (141, 3), (210, 3), (9999, 3)]
)
def test_as_few_pieces_as_will_do(length: int, parts: int) -> None:
    assert [len(found) for found in shown(pieces(*buffers(["東" * length]), 70))] == [parts]


def plain_lines(text: str) -> list[str]:
    found, letters = [""], 0
    for char in text:
        found[-1] += char
        letters += bool(character_class(ord(char)) & (LETTER | UNSPACED))
        if char == "\n" and letters >= 40:
            found.append("")
            letters = 0
    return [line for line in found if line]


@settings(deadline=None)
@given(TEXTS, st.integers(0, 2))
def test_lines_of_pieces(texts: list[str], skipped: int) -> None:
    found = lines(pieces(*buffers(texts), 100))
    assert shown(found) == [
        [line for piece in plain_pieces(text, 100) for line in plain_lines(piece)] for text in texts
    ]
    data, offsets = buffers(texts)
    offsets = offsets[min(skipped, len(texts)) :]
    assert shown(lines(whole(data, offsets))) == [plain_lines(text) for text in texts[skipped:]]


def test_a_short_line_is_judged_together_with_the_next() -> None:
    long = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
    text = f"Home\nÜber uns\n{long}\n{long}\nEnde"
    assert shown(lines(whole(*buffers([text])))) == [[f"Home\nÜber uns\n{long}\n", f"{long}\n", "Ende"]]
