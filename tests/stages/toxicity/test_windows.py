from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.toxicity.windows import JUDGED, WINDOW, chosen, cut_windows, most_windows

PIECES = st.lists(st.sampled_from(["word ", "中文", "é", "\n", "x" * 300, "🙂" * 200, " ", "ü" * 129]), max_size=12)


def cut(texts: list[bytes]) -> list[list[bytes]]:
    data = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    bounds, counts = np.empty(most_windows(offsets) + 1, np.int64), np.empty(len(texts), np.int64)
    total = cut_windows(data, offsets, bounds, counts)
    assert counts.sum() == total
    windows = [data[start:end].tobytes() for start, end in pairwise(bounds[: total + 1].tolist())]
    return [windows[end - count : end] for end, count in zip(np.cumsum(counts).tolist(), counts.tolist(), strict=True)]


@given(st.lists(PIECES, max_size=4))
@settings(deadline=None, max_examples=60)
def test_windows_are_the_text_and_cut_no_character(pieces: list[list[str]]) -> None:
    texts = ["".join(each).encode() for each in pieces]
    for text, windows in zip(texts, cut(texts), strict=True):
        assert "".join(window.decode() for window in windows).encode() == text
        assert all(len(window) <= WINDOW for window in windows)
        assert all(len(window) > WINDOW // 2 - 4 for window in windows[:-1])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (b"a" * 400 + b"\n" + b"b " * 100, b"a" * 400 + b"\n"),
        (b"a" * 400 + b" " + b"b" * 300, b"a" * 400 + b" "),
        (b"\n" + b"a" * 600, b"\n" + b"a" * 511),
        ("é".encode() * 300, "é".encode() * 256),
        (b"a" + "é".encode() * 300, b"a" + "é".encode() * 255),
    ],
)
def test_a_window_ends_after_a_line_else_after_a_word_else_between_characters(text: bytes, first: bytes) -> None:
    assert cut([text])[0][0] == first


def test_bytes_that_are_no_utf8_end_windows_too() -> None:
    (windows,) = cut([b"\x80" * 2000])
    assert b"".join(windows) == b"\x80" * 2000
    assert all(0 < len(window) <= WINDOW for window in windows)


def test_an_empty_text_has_one_window() -> None:
    assert cut([b"", b"a", b""]) == [[b""], [b"a"], [b""]]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_a_long_document_is_judged_by_windows_from_all_of_it(counts: list[int]) -> None:
    places = chosen(np.array(counts)).tolist()
    first = 0
    for count in counts:
        own = [place - first for place in places if first <= place < first + count]
        assert len(set(own)) == len(own) == min(count, JUDGED)
        assert own[0] == 0 and own[-1] == count - 1
        assert max(np.diff(own), default=1) <= -(-count // (JUDGED - 1))
        first += count
