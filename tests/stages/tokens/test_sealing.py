"""No text reaches a control token, in any kind of model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.tokens.definition import canonical_json
from lauter.stages.tokens.engine import FastokensEngine, HuggingFaceEngine
from lauter.stages.tokens.sealing import BYTE_LETTERS, is_byte_level, seal, vocabulary

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
WORDS = {"type": "WhitespaceSplit"}
SPLIT = {"type": "Split", "pattern": {"Regex": r"\S+"}, "behavior": "Isolated", "invert": False}


def tokenizer(model: dict[str, Any], pre_tokenizer: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


def byte_pairs(names: list[str], *, unknown: str | None = None) -> dict[str, Any]:
    """A byte-level BPE whose vocabulary begins with `names`, and which takes a whole piece for a token if it can."""
    vocab = {name: index for index, name in enumerate([*names, *BYTE_LETTERS, "Ġa", "ab"])}
    merges = ["Ġ a", "a b"]
    model = {"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": True, "unk_token": unknown}
    return tokenizer(model, {"type": "Sequence", "pretokenizers": [SPLIT, BYTE_LEVEL]})


def ids(document: dict[str, Any], text: str) -> list[int]:
    found: list[int] = HuggingFaceEngine(canonical_json(document).decode()).encode([text])[0].tolist()
    return found


def test_byte_letters_are_hugging_faces() -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    assert sorted(BYTE_LETTERS) == sorted(ByteLevel.alphabet())
    cut = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str
    for text in ("\0 !~\x7f", "éÿ­¡", "語", "😀"):
        assert cut(text)[0][0] == "".join(BYTE_LETTERS[byte] for byte in text.encode())


def test_a_byte_pair_model_keeps_its_ids_and_loses_its_names() -> None:
    document = byte_pairs(["<s>", "</s>", "<unk>"], unknown="<unk>")
    assert {0, 1, 2} < set(ids(document, "ab <s> </s> <unk>"))  # what sealing is for
    sealed = seal(document, {0, 1, 2})
    assert sorted(sealed["model"]["vocab"].values()) == sorted(document["model"]["vocab"].values())
    assert ids(sealed, "ab")[0] == ids(document, "ab")[0]
    text = json.dumps({**sealed, "decoder": BYTE_LEVEL})
    for engine in (FastokensEngine(text), HuggingFaceEngine(text)):
        assert engine.encode(["<s> </s> <unk>"])[0].min() > 2
        assert engine.decode(engine.encode(["<s>ab"])[0].tolist()) == "<s>ab"


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(
        st.text(min_size=1, max_size=5).filter(lambda n: not n.isspace()), min_size=1, max_size=5, unique=True
    ),
    text=st.text(max_size=20),
    data=st.data(),
)
def test_no_text_reaches_a_reserved_entry(names: list[str], text: str, data: st.DataObject) -> None:
    ordinary = {*BYTE_LETTERS, "Ġa", "ab", "Ġ", "a", "b"}
    names = [name for name in names if name not in ordinary]
    pieces = data.draw(st.lists(st.sampled_from([*names, text, "ÿ0", "ÿÿ1", " "]), max_size=6))
    sealed = canonical_json(seal(byte_pairs(names), set(range(len(names))))).decode()
    for engine in (FastokensEngine(sealed), HuggingFaceEngine(sealed)):
        found = engine.encode(["".join(pieces), *names])[0]
        assert np.all(found >= len(names))


def test_the_new_name_is_not_one_that_is_there() -> None:
    document = byte_pairs(["<s>", "ÿ0", "ÿÿ0"])
    sealed = seal(document, {0})
    assert sealed["model"]["vocab"]["ÿÿÿ0"] == 0
    assert len(sealed["model"]["vocab"]) == len(document["model"]["vocab"])


@pytest.mark.parametrize("name", ["ab", "a", "Ġ"])
def test_ordinary_text_cannot_be_reserved(name: str) -> None:
    document = byte_pairs([])
    with pytest.raises(ValueError, match="ordinary piece"):
        seal(document, {document["model"]["vocab"][name]})


def test_continuing_prefix_is_no_part_of_a_joint_name() -> None:
    vocab = {"a": 0, "##b": 1, "ab": 2, "a##b": 3}
    model = {"type": "BPE", "vocab": vocab, "merges": [["a", "##b"]], "continuing_subword_prefix": "##"}
    with pytest.raises(ValueError, match="'ab'"):
        seal(tokenizer(model, None), {2})
    assert "a##b" not in seal(tokenizer(model, None), {3})["model"]["vocab"]


@pytest.mark.parametrize("kind", ["WordLevel", "WordPiece"])
def test_word_models_lose_the_entries_and_keep_the_unknown(kind: str) -> None:
    model: dict[str, Any] = {"type": kind, "vocab": {"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "a": 3}, "unk_token": "[UNK]"}
    if kind == "WordPiece":
        model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    document = tokenizer(model, WORDS)
    assert ids(document, "a [SEP] [PAD] q") == [3, 2, 0, 1]
    assert ids(seal(document, {0, 1, 2}), "a [SEP] [PAD] q") == [3, 1, 1, 1]
    assert not is_byte_level(document)


def test_a_byte_pair_model_over_characters_loses_the_entries() -> None:
    vocab = {"<s>": 0, "<": 1, "s": 2, ">": 3, "a": 4}
    document = tokenizer({"type": "BPE", "vocab": vocab, "merges": [], "ignore_merges": True}, WORDS)
    assert ids(document, "<s>") == [0]
    assert ids(seal(document, {0}), "<s> a") == [1, 2, 3, 4]


def test_unigram_pieces_become_empty() -> None:
    pieces = [
        ["<unk>", 0.0],
        ["<s>", 0.0],
        ["▁a", -1.0],
        ["▁", -2.0],
        ["<", -3.0],
        ["s", -4.0],
        [">", -5.0],
        ["", -9.0],
    ]
    model = {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}
    document = tokenizer(model, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True})
    assert ids(document, "a <s>") == [2, 3, 1]
    sealed = seal(document, {0, 1})
    assert ids(sealed, "a <s>") == [2, 3, 4, 5, 6]
    assert ids(sealed, "q") == [3, 0]
    assert vocabulary(document)["▁a"] == 2
