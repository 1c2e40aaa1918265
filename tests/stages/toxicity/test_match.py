"""The matching kernel against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.toxicity.match import MAX_UNITS, build_tables, count_hits, split_words, word_characters

# Few letters, so that terms and texts meet often; of one to three bytes, with a mark and an astral character between.
TEXT = st.text(alphabet="aéб中 \n-.☃\U0001f600", max_size=30)
TERMS = st.lists(st.text(alphabet="aéб中 -", min_size=1, max_size=6), max_size=6)


def count(texts: list[str], lists: list[tuple[bool, list[str]]], which: list[int]) -> list[tuple[int, int]]:
    encoded = [text.encode() for text in texts]
    data: NDArray[np.uint8] = np.frombuffer(b"".join(encoded), np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    hits, units = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    count_hits(data, offsets, np.array(which, np.int32), word_characters(), *build_tables(lists), hits, units)
    return list(zip(hits.tolist(), units.tolist(), strict=True))


def count_plainly(text: str, terms: list[str], *, by_letter: bool) -> tuple[int, int]:
    words = ["".join(map(chr, word)) for word in split_words(text)]
    rows = [list(word) for word in words] if by_letter else [words]
    needles = []
    for term in terms:
        parts = ["".join(map(chr, word)) for word in split_words(term)]
        if by_letter:
            parts = list(parts[0]) if len(parts) == 1 else []
        if 0 < len(parts) <= MAX_UNITS:
            needles.append(parts)
    covered = 0
    for row in rows:
        hit = [False] * len(row)
        for needle in needles:
            for at in range(len(row) - len(needle) + 1):
                if row[at : at + len(needle)] == needle:
                    hit[at : at + len(needle)] = [True] * len(needle)
        covered += sum(hit)
    return covered, sum(map(len, rows))


@given(st.lists(TEXT, max_size=5), TERMS, TERMS, st.data())
@settings(deadline=None, max_examples=300)  # the first call compiles
def test_kernel_equals_plain_python(
    texts: list[str], words: list[str], letters: list[str], data: st.DataObject
) -> None:
    which = [data.draw(st.sampled_from([-1, 0, 1])) for _ in texts]
    expected = [
        (0, 0) if place < 0 else count_plainly(text, (words, letters)[place], by_letter=place == 1)
        for text, place in zip(texts, which, strict=True)
    ]
    assert count(texts, [(False, words), (True, letters)], which) == expected


@pytest.mark.parametrize(
    ("text", "hits", "words"),
    [("An ass.", 1, 2), ("assassin classic", 0, 2), ("dog-fucker, dog fucker", 4, 4), ("fucker dog", 0, 2), ("", 0, 0),
     ("!?", 0, 0)],
)  # fmt: skip
def test_words_end_at_their_boundaries(text: str, hits: int, words: int) -> None:
    assert count([text], [(False, ["ass", "dog fucker"])], [0]) == [(hits, words)]


def test_letters_match_inside_a_longer_string_but_not_across_punctuation() -> None:
    assert count(["你是傻逼吗", "傻,逼"], [(True, ["傻逼"])], [0, 0]) == [(2, 5), (0, 2)]


def test_a_word_in_two_terms_counts_once() -> None:
    assert count(["a b c"], [(False, ["a b", "b c", "b"])], [0]) == [(3, 3)]


def test_a_longer_term_reaches_back_over_a_shorter_one() -> None:
    assert count(["a b c"], [(False, ["b", "a b c"])], [0]) == [(3, 3)]
    assert count(["éaa"], [(True, ["a", "éaa"])], [0]) == [(3, 3)]


def test_a_term_that_is_too_long_is_left_out() -> None:
    long = " ".join("abcdefghijklmnopqrstuvwxyz"[: MAX_UNITS + 1])
    assert count([long], [(False, [long])], [0]) == [(0, MAX_UNITS + 1)]
    fits = " ".join("abcdefghijklmnopqrstuvwxyz"[:MAX_UNITS])
    assert count([fits], [(False, [fits])], [0]) == [(MAX_UNITS, MAX_UNITS)]


@given(st.lists(st.binary(max_size=30), max_size=5))
@settings(deadline=None)
def test_bytes_that_are_no_utf8_do_no_harm(texts: list[bytes]) -> None:
    data: NDArray[np.uint8] = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    hits, units = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    lists = np.zeros(len(texts), np.int32)
    count_hits(data, offsets, lists, word_characters(), *build_tables([(False, ["a"])]), hits, units)
    assert (hits <= units).all()
