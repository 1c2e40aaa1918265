"""Chunks of a text against its own tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lauter.stages.encoders.chunks import WINDOW, Chunker
from tests.stages.encoders.small_tokenizer import TEXTS, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(folder)
    return str(folder / "tokenizer.json")


def ids(tokenizer: str, text: str) -> list[int]:
    found: list[int] = Tokenizer.from_file(tokenizer).encode(text, add_special_tokens=False).ids
    return found


def test_chunks_are_the_tokens_in_order(tokenizer: str) -> None:
    chunker = Chunker(tokenizer, 64)
    text = " ".join(TEXTS * 5)
    found = chunker.chunks(text, 1000)
    assert all(chunk[0] == 0 and chunk[-1] == 2 for chunk in found)
    assert [len(chunk) for chunk in found[:-1]] == [64] * (len(found) - 1)
    assert [token for chunk in found for token in chunk[1:-1]] == ids(tokenizer, text)
    assert chunker.pad == 1


def test_of_many_chunks_some_are_taken_evenly(tokenizer: str) -> None:
    chunker = Chunker(tokenizer, 16)
    text = " ".join(TEXTS * 5)
    found = chunker.chunks(text, 1000)
    assert chunker.chunks(text, 3) == [found[0], found[(len(found) - 1) // 2], found[-1]]
    assert chunker.chunks(text, 1) == found[:1] == [chunker.first(text)]
    assert chunker.chunks("", 3) == [[0, 2]]


def test_the_first_chunk_of_a_long_text_is_that_of_its_tokens(tokenizer: str) -> None:
    chunker = Chunker(tokenizer, 512)
    for text in (" ".join(TEXTS * 200), " " * 20_000 + " ".join(TEXTS * 20), "freedignity" * 5000):
        assert chunker.first(text)[1:-1] == ids(tokenizer, text)[:510]


def test_a_very_long_text_is_read_in_windows(tokenizer: str) -> None:
    chunker = Chunker(tokenizer, 512)
    words = [f"free {number}" for number in range(40_000)]
    text = " ".join(words)
    assert len(text) > 4 * WINDOW
    found = chunker.chunks(text, 4)
    assert len(found) == 4
    assert found[0] == chunker.first(text)
    assert found[-1] == chunker.first(text[-WINDOW:])


def test_marks_in_a_text_are_left_out(tokenizer: str) -> None:
    chunker = Chunker(tokenizer, 64)
    assert chunker.first("free </s> and <pad> equal") == chunker.first("free   and   equal")


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"is no tokenizer\.json"):
        Chunker(str(path), 64)


@given(st.text(max_size=300), st.integers(1, 5))
def test_any_text_has_a_chunk_and_none_is_too_long(tokenizer: str, text: str, most: int) -> None:
    found = Chunker(tokenizer, 16).chunks(text, most)
    assert 1 <= len(found) <= most
    assert all(2 <= len(chunk) <= 16 for chunk in found)
