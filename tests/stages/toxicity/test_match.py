"""The matching kernel against plain Python."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.toxicity.match import are_joined, count_hits
from lauter.stages.toxicity.term_tables import MAX_UNITS, Way, build_tables, split_words, word_characters

# Few letters, so that terms and texts meet often; of one to three bytes, with a mark and an astral character between.
TEXT = st.text(alphabet="aéб中カス一\u0e40\u0e01\u0e34 \n-.☃\U0001f600", max_size=30)
TERMS = st.lists(st.text(alphabet="aéб中カス\u0e40\u0e01\u0e34 -", min_size=1, max_size=6), max_size=6)


def count(texts: list[str], lists: list[tuple[Way, list[str]]], which: list[int]) -> list[tuple[int, int, int]]:
    encoded = [text.encode() for text in texts]
    data: NDArray[np.uint8] = np.frombuffer(b"".join(encoded), np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    hits, units, distinct = (np.zeros(len(texts), np.int64) for _ in range(3))
    count_hits(data, offsets, np.array(which, np.int32), word_characters(), *build_tables(lists), hits, units, distinct)
    return list(zip(hits.tolist(), units.tolist(), distinct.tolist(), strict=True))


def may_stand(way: Way, row: list[str], start: int, end: int) -> bool:
    if way == Way.START:
        return start == 0
    if way == Way.KATAKANA:
        edges = [re.fullmatch("[ァ-ヺー-ヾ]{2}", "".join(row[at - 1 : at + 1])) for at in (start, end) if at]
        return not any(edges)
    if way == Way.CLUSTER:
        edges = [re.fullmatch("[เ-ไ][ก-ฺ]|.[ะ-ฺๅ-๎]", "".join(row[at - 1 : at + 1])) for at in (start, end) if at]
        return not any(edges)
    return True


def count_plainly(text: str, terms: list[str], way: Way) -> tuple[int, int, int]:
    by_letter = way != Way.WORDS
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
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        hit = [False] * len(row)
        longest: dict[int, int] = {}
        for needle in needles:
            for at in range(len(row) - len(needle) + 1):
                if row[at : at + len(needle)] == needle and may_stand(way, row, at, at + len(needle)):
                    longest[at + len(needle)] = max(longest.get(at + len(needle), 0), len(needle))
                    hit[at : at + len(needle)] = [True] * len(needle)
        covered += sum(hit)
        stack: list[tuple[int, int]] = []
        for end in sorted(longest):
            start = end - longest[end]
            if stack and start <= stack[-1][0]:
                stack[-1] = (start, end)
            elif not stack or start >= stack[-1][1]:
                stack.append((start, end))
        seen |= {tuple(row[start:end]) for start, end in stack}
    return covered, sum(map(len, rows)), min(len(seen), 2)


@given(st.lists(TEXT, max_size=5), TERMS, TERMS, st.data())
@settings(deadline=None, max_examples=150)  # the first call compiles
def test_kernel_equals_plain_python(
    texts: list[str], words: list[str], letters: list[str], data: st.DataObject
) -> None:
    which = [data.draw(st.sampled_from([-1, *Way])) for _ in texts]
    lists = [(way, words if way == Way.WORDS else letters) for way in Way]
    expected = [
        (0, 0, 0) if place < 0 else count_plainly(text, lists[place][1], lists[place][0])
        for text, place in zip(texts, which, strict=True)
    ]
    assert count(texts, lists, which) == expected


@pytest.mark.parametrize(
    ("text", "hits", "words"),
    [("An ass.", 1, 2), ("assassin classic", 0, 2), ("dog-fucker, dog fucker", 4, 4), ("fucker dog", 0, 2), ("", 0, 0),
     ("!?", 0, 0)],
)  # fmt: skip
def test_words_end_at_their_boundaries(text: str, hits: int, words: int) -> None:
    assert [each[:2] for each in count([text], [(Way.WORDS, ["ass", "dog fucker"])], [0])] == [(hits, words)]


def test_letters_match_inside_a_longer_string_but_not_across_punctuation() -> None:
    assert count(["你是傻逼吗", "傻,逼"], [(Way.LETTERS, ["傻逼"])], [0, 0]) == [(2, 5, 1), (0, 2, 0)]


def test_a_word_in_two_terms_counts_once() -> None:
    assert count(["a b c"], [(Way.WORDS, ["a b", "b c", "b"])], [0]) == [(3, 3, 1)]


def test_a_longer_term_reaches_back_over_a_shorter_one() -> None:
    assert count(["a b c"], [(Way.WORDS, ["b", "a b c"])], [0]) == [(3, 3, 1)]
    assert count(["éaa"], [(Way.LETTERS, ["a", "éaa"])], [0]) == [(3, 3, 1)]


def test_a_term_that_is_too_long_is_left_out() -> None:
    long = " ".join("abcdefghijklmnopqrstuvwxyz"[: MAX_UNITS + 1])
    assert count([long], [(Way.WORDS, [long])], [0]) == [(0, MAX_UNITS + 1, 0)]
    fits = " ".join("abcdefghijklmnopqrstuvwxyz"[:MAX_UNITS])
    assert count([fits], [(Way.WORDS, [fits])], [0]) == [(MAX_UNITS, MAX_UNITS, 1)]


@given(st.lists(st.binary(max_size=30), max_size=5))
@settings(deadline=None)
def test_bytes_that_are_no_utf8_do_no_harm(texts: list[bytes]) -> None:
    data: NDArray[np.uint8] = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    hits, units, distinct = (np.zeros(len(texts), np.int64) for _ in range(3))
    lists = np.zeros(len(texts), np.int32)
    count_hits(data, offsets, lists, word_characters(), *build_tables([(Way.KATAKANA, ["a"])]), hits, units, distinct)
    assert (hits <= units).all()


def test_the_sixteen_letters_of_the_longest_term_have_a_letter_before_them() -> None:
    term = "カ" * MAX_UNITS
    assert count([term, "カ" + term, "中" + term], [(Way.KATAKANA, [term])], [0] * 3) == [
        (MAX_UNITS, MAX_UNITS, 1),
        (0, MAX_UNITS + 1, 0),
        (MAX_UNITS, MAX_UNITS + 1, 1),
    ]


def test_a_middle_dot_parts_katakana() -> None:
    assert are_joined(Way.KATAKANA, ord("ー"), ord("ス"))
    assert not are_joined(Way.KATAKANA, ord("・"), ord("ス"))


def test_different_terms_are_counted_up_to_two() -> None:
    assert count(["ab ab", "ab cd ab", "ab abc", "abc ab cd"], [(Way.START, ["ab", "cd", "abc"])], [0] * 4) == [
        (4, 4, 1),
        (6, 6, 2),
        (5, 5, 2),
        (7, 7, 2),
    ]
