"""The two patterns, and a tokenizer with the LaTeX pieces taken apart."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.tokens.apertus import build
from lauter.stages.tokens.engine import open_engine
from lauter.stages.tokens.pattern import LATEX, LATEX_SPLIT, PIECE, SPLIT, Cut, cut_of

TEXT = st.lists(
    st.sampled_from([*LATEX, "\\", "{", "begin", " ", "  ", "\n", "\r\n", "/", "$", "a", "A", "1", "é"])
    | st.text(max_size=4),
    max_size=12,
).map("".join)


def cut(pattern: str, text: str) -> list[str]:
    """As the library does it that the patterns are written for."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    return [piece for piece, _ in Split(Regex(pattern), "isolated").pre_tokenize_str(text)]


@given(TEXT)
def test_latex_split_cuts_as_split_cuts_between_the_pieces(text: str) -> None:
    expected: list[str] = []
    for part in re.split(f"({PIECE})", text):
        expected += [part] if part in LATEX else cut(SPLIT, part)
    assert cut(LATEX_SPLIT, text) == expected
    assert "".join(expected) == text


@pytest.fixture(scope="module")
def tokenizer() -> str:
    return build()["tokenizer.json"].decode()


def test_a_tokenizer_is_taken_apart(tokenizer: str, document: dict[str, Any]) -> None:
    found = cut_of(tokenizer)
    assert found is not None
    assert found.ids == LATEX
    made = json.loads(found.tokenizer)
    assert made["pre_tokenizer"] == document["pre_tokenizer"]
    assert made["model"] == json.loads(tokenizer)["model"]


def test_other_tokenizers_are_left_alone(tokenizer: str, document: dict[str, Any]) -> None:
    assert cut_of(json.dumps(document)) is None
    removed = json.loads(tokenizer)
    removed["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"
    assert cut_of(json.dumps(removed)) is None
    longer = json.loads(tokenizer)
    longer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] += "|x"
    assert cut_of(json.dumps(longer)) is None
    other = json.loads(tokenizer)
    other["model"]["vocab"]["\\text[ "] = other["model"]["vocab"].pop("\\text{")
    assert cut_of(json.dumps(other)) is None


def test_pieces_that_the_library_would_merge_are_noticed(tokenizer: str) -> None:
    merging = json.loads(tokenizer)
    merging["model"]["ignore_merges"] = False
    engines = [
        open_engine("fastokens", text, byte_level=True, tested=False) for text in (tokenizer, json.dumps(merging))
    ]
    assert [engine.name for engine in engines] == ["fastokens", "tokenizers"]


@given(TEXT)
def test_text_and_pieces_take_turns(text: str) -> None:
    found = Cut("", LATEX).apart(text)
    assert "".join(found) == text
    assert set(found[1::2]) <= LATEX.keys() and not any(piece in part for part in found[::2] for piece in LATEX)
