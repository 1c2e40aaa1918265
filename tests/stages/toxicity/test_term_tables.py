"""Word lists as hash tables."""

from __future__ import annotations

import numpy as np

from lauter.stages.toxicity.term_tables import MAX_UNITS, NONE, Way, build_tables, mix, split_words, word_characters


def test_words_are_runs_of_letters_marks_and_digits() -> None:
    assert split_words("so-called, r2d2 Grüße") == [
        [ord(each) for each in word] for word in ("so", "called", "r2d2", "Grüße")
    ]
    assert split_words("… \U0001f600") == []
    assert not word_characters()[[ord(each) for each in " -.'"]].any()


def test_each_list_has_its_own_slots_with_room() -> None:
    words = [f"term{letter}" for letter in "abcdefghij"]
    tables = build_tables([(Way.WORDS, words), (Way.LETTERS, ["中文", "a b"]), (Way.WORDS, [])])
    assert tables.sizes.tolist() == [32, 16, 16] and tables.starts.tolist() == [0, 32, 48]
    assert tables.ways.tolist() == [0, 1, 0] and len(tables.terms) == len(tables.lasts) == 64
    used = tables.terms != NONE
    # Of letters "a b" is left out: something else stands between them.
    assert [int(used[start : start + size].sum()) for start, size in zip(*tables[2:4], strict=True)] == [10, 1, 0]


def test_terms_in_any_order_are_the_same_set() -> None:
    terms = ["one", "two words", "three little words", " ".join(["long"] * (MAX_UNITS + 1))]
    one, two = build_tables([(Way.WORDS, terms)]), build_tables([(Way.WORDS, terms[::-1])])
    assert sorted(one.terms.tolist()) == sorted(two.terms.tolist()) and (one.terms != NONE).sum() == 3


def test_no_hash_is_that_of_an_empty_slot() -> None:
    unit = np.uint64(77)
    assert mix(unit, unit) != NONE
