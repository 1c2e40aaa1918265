"""Cuts: ranges joined, seams, documents that go; the kernel against plain Python."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.kernels.words import DROP_PUNCTUATION, text_buffers, word_hashes
from lauter.stages.passages.cut import cut

TEXT = st.text(st.sampled_from("aé世 \n\t,."), max_size=30)


def cut_of(
    texts: list[str], passages: list[tuple[int, int, int]], min_left: int = 0
) -> tuple[list[list[int]], list[bool]]:
    buffers = text_buffers(pa.array(texts, pa.large_string()))
    row, first, last = np.array(sorted(passages), np.int64).reshape(-1, 3).T.copy()
    found, dropped = cut(buffers.data, buffers.offsets, row, first, last, min_left)
    return found.tolist(), dropped.tolist()


def left_of(text: str, *passages: str) -> str:
    """The text without some passages of it, each where it stands first."""
    places = [(0, text.index(passage), text.index(passage) + len(passage)) for passage in passages]
    found, _ = cut_of([text], places)
    for _, start, end in reversed(found):
        text = text[:start] + text[end:]
    return text


@pytest.mark.parametrize(
    ("text", "passages", "left"),
    [
        ("one\ntwo\nthree", ["two"], "one\nthree"),
        ("one\n\ntwo\nthree", ["two"], "one\n\nthree"),
        ("one\ntwo\n\nthree", ["two"], "one\n\nthree"),
        ("def f():\n    old = 1\n  new = 2", ["old = 1"], "def f():\n  new = 2"),
        ("one\ntwo", ["one"], "two"),
        ("one\ntwo", ["two"], "one"),
        ("A b. C d. E f.", ["C d."], "A b. E f."),
        ("A b. C d.\nE f.", ["C d."], "A b.\nE f."),
        ("你好。世界。再见。", ["世界。"], "你好。再见。"),
        ("你好。世界。 再见。", ["世界。"], "你好。 再见。"),
        ("one\ntwo\nthree\nfour", ["two", "three"], "one\nfour"),
        ("one\ntwo\nthree\nfour", ["one", "three"], "two\nfour"),
        ("one\ntwo", ["one", "two"], ""),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_seams(text: str, passages: list[str], left: str) -> None:
    assert left_of(text, *passages) == left


def test_too_little_left_and_nothing_left() -> None:
    texts = ["one two\nthree - four", "one two", "gone", "three four\none two"]
    passages = [(0, 0, 7), (2, 0, 4), (3, 11, 18)]
    found, dropped = cut_of(texts, passages, min_left=2)
    assert found == [[0, 0, 8], [2, 0, 4], [3, 10, 18]]
    assert dropped == [False, False, True, False]
    assert cut_of(texts, passages, min_left=3)[1] == [True, False, True, True]
    assert cut_of(texts, passages, min_left=0)[1] == [False, False, True, False]


def plain(text: str, passages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Joined ranges with their seams, over characters."""
    joined: list[list[int]] = []
    for start, end in sorted(passages):
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    found = []
    for start, end in joined:
        left = len(text[:start].rstrip())
        right = len(text) - len(text[end:].lstrip())
        before, after = text[left:start], text[end:right]
        if not left:
            found.append((0, right))
        elif right == len(text):
            found.append((left, right))
        elif after.count("\n") > before.count("\n") or (after and after.count("\n") == before.count("\n")):
            found.append((left, end))
        elif before:
            found.append((start, right))
        else:
            found.append((start, end))
    return found


@given(st.lists(TEXT, min_size=1, max_size=3), st.data())
def test_as_in_plain_python(texts: list[str], data: st.DataObject) -> None:
    passages = []
    for row, text in enumerate(texts):
        words = [match.span() for match in re.finditer(r"\S+(?:\s+\S+)?", text)]
        for start, end in data.draw(st.lists(st.sampled_from(words), unique=True) if words else st.just([])):
            passages.append((row, start, end))
    found, dropped = cut_of(texts, passages, min_left=2)
    expected = [
        (row, *span)
        for row, text in enumerate(texts)
        for span in plain(text, [(start, end) for of, start, end in passages if of == row])
    ]
    assert [tuple(item) for item in found] == expected
    for row, text in enumerate(texts):
        own = [(start, end) for of, start, end in expected if of == row]
        stays = np.ones(len(text), np.bool_)
        for start, end in own:
            stays[start:end] = False
        pieces = "".join(character if keep else "\n" for character, keep in zip(text, stays, strict=True)).encode()
        left = len(word_hashes(np.frombuffer(pieces, np.uint8), 0, len(pieces), DROP_PUNCTUATION))
        assert dropped[row] == (bool(own) and (left < 2 or not stays.any()))
