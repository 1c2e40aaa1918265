"""Counts behind C4's rules against a plain reading of its published code."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import c4
from lauter.stages.kernels.c4 import measure_c4
from lauter.stages.kernels.sentences import sentence_spans
from lauter.stages.kernels.words import text_buffers

CITATION = re.compile(r"\[[0-9]*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
ALL = (True, 3, 1000, True, True)


def sentences(line: str) -> int:
    data = np.frombuffer(line.encode(), np.uint8)
    return len(sentence_spans(data, 0, len(data)))


def twin(text: str, rules: tuple[bool, int, int, bool, bool]) -> list[int]:
    terminal, least, most, javascript, policy = rules
    row = [0] * c4.COLUMNS
    for line in (each.strip() for each in text.split("\n")):
        row[c4.CHARACTERS] += len(line)
        words = line.split()
        if not line or (most >= 0 and any(len(word) > most for word in words)):
            continue
        plain = CITATION.sub("", line)
        if terminal and (not plain.endswith((".", "?", "!", '"', "'")) or plain.endswith("...")):
            continue
        if len(words) < least:
            continue
        small = plain.lower()
        if "lorem ipsum" in small:
            row[c4.LOREM_IPSUM] += 1
            continue
        if javascript and "javascript" in small:
            continue
        row[c4.CURLY_BRACKETS] += "{" in plain
        if policy and any(phrase in small for phrase in POLICY):
            continue
        row[c4.KEPT_CHARACTERS] += len(plain)
        row[c4.SENTENCES] += sentences(plain)
    return row


def counts(texts: list[str], rules: tuple[bool, int, int, bool, bool]) -> list[list[int]]:
    offsets, data = text_buffers(pa.array(["skipped", *texts], pa.large_string())[1:])
    found: list[list[int]] = measure_c4(offsets, data, np.array(rules, np.int64)).tolist()
    return found


pieces = st.one_of(
    st.sampled_from(["One two three. ", "a b c", "Lorem IPSUM", "JavaScript", "{", "[12]", "[edit]", "[]", "..."]),
    st.sampled_from(["[citation needed]", "uses Cookies", "Terms of Use", ".", '"', "'", "?", "\n", " ", "\n\n"]),
    st.sampled_from(["漢字漢字。", "é! ü", "[1", "]", "x" * 12]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x1c\x1d\x1e\x1f\u200b"), max_size=4),
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(pieces, max_size=14).map("".join), min_size=1, max_size=3),
    st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from([-1, 3, 10]), st.booleans(), st.booleans()),
)
def test_counts_are_those_of_the_twin(texts: list[str], rules: tuple[bool, int, int, bool, bool]) -> None:
    assert counts(texts, rules) == [twin(text, rules) for text in texts]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This is a sentence.", True),
        ("This is a sentence", False),
        ("This is a sentence...", False),
        ("This is cited.[1][edit]", True),
        ("This is cited. [1]", False),
        ("Two words.", False),
        ("You must enable JavaScript now.", False),
        ("This site uses cookies, as all do.", False),
        ("A long " + "w" * 1001 + " word.", False),
        ('He said "this is it"', True),
    ],
)
def test_lines(line: str, kept: bool) -> None:  # noqa: FBT001 - a test's parameter
    ((_, characters, *_rest),) = counts([line], ALL)
    assert (characters > 0) is kept
