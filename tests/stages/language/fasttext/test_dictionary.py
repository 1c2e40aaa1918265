"""Every word of a dictionary is found in its row, and no other word is."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.fasttext.dictionary import equal, find
from lauter.stages.language.fasttext.read import Words, hash_bytes, load
from tests.stages.language.fasttext.models import buffers, trained


@cache
def dictionary() -> Words:
    return load(str(trained("many"))).words


def row_of(word: bytes) -> int:
    words = dictionary()
    data, _ = buffers([b"before" + word + b"after"])
    end = 6 + len(word)
    return int(find(words, data, 6, end, hash_bytes(data, 6, end)))


def test_every_word() -> None:
    import fasttext

    library = fasttext.load_model(str(trained("many")))
    words = [*library.get_words(), *library.get_labels()]
    assert [row_of(word.encode()) for word in words] == list(range(len(words)))


def test_other_words() -> None:
    assert [row_of(word) for word in (b"nowhere", b"", b"w", b"w1000", b"derdie", b"\xff")] == [-1] * 6


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_equal(one: bytes, other: bytes) -> None:
    first, second = buffers([b"x" + one])[0], buffers([b"yz" + other])[0]
    assert equal(first, 1, len(one), second, 2, len(other)) == (one == other)
