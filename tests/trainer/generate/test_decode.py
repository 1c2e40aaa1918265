from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.generate.decode import Continuation, Detokenizer
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError, text_tokenizer
from tests.trainer.generate.byte_tokenizer import FIRST_BYTE, MERGES, PLAIN, byte_tokenizer, files

TOKENIZER = byte_tokenizer()
EMAIL = 5
"""The placeholder of a removed e-mail address."""


def _pieces(tokenizer: TextTokenizer, ids: list[int]) -> list[str]:
    stream = Detokenizer(tokenizer)
    return [*[stream.push(index) for index in ids], stream.finish()]


def test_a_character_appears_only_when_it_is_whole() -> None:
    ids = TOKENIZER.encode("a漢👩é !")[1:]
    assert len(ids) == 7
    assert _pieces(TOKENIZER, ids) == ["a", "", "漢", "", "👩", "é ", "!", ""]


def test_bytes_that_no_character_has_become_replacement_characters() -> None:
    lone = FIRST_BYTE + 0xE6
    assert _pieces(TOKENIZER, [lone, FIRST_BYTE + ord("a"), lone]) == ["", "\ufffda", "", "\ufffd"]


@given(st.lists(st.integers(FIRST_BYTE, PLAIN + len(MERGES) - 1), max_size=40))
def test_pieces_joined_are_the_whole_at_once_whatever_the_bytes(ids: list[int]) -> None:
    whole = TOKENIZER.engine.decode(ids, skip_special_tokens=False)
    assert "".join(_pieces(TOKENIZER, ids)) == whole == TOKENIZER.decode(ids)


@given(st.text())
def test_no_piece_of_a_text_has_a_broken_character(text: str) -> None:
    pieces = _pieces(TOKENIZER, TOKENIZER.encode(text)[1:])
    assert "".join(pieces) == text
    assert sum(piece.count("\ufffd") for piece in pieces) == text.count("\ufffd")


def test_placeholders_show_their_names_and_other_control_tokens_nothing() -> None:
    ids = [1, *TOKENIZER.encode("to ")[1:], EMAIL, *TOKENIZER.encode(" now")[1:], 3, 2]
    assert "".join(_pieces(TOKENIZER, ids)) == "to <email-pii> now"


def test_a_control_token_ends_a_half_character() -> None:
    assert _pieces(TOKENIZER, [FIRST_BYTE + 0xE6, EMAIL]) == ["", "\ufffd<email-pii>", ""]


@given(st.text(alphabet="ab", max_size=30), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3))
def test_a_continuation_ends_before_the_first_stop_and_shows_nothing_of_it(text: str, stops: list[str]) -> None:
    one = Continuation(TOKENIZER, tuple(stops))
    shown = []
    for token in TOKENIZER.encode(text)[1:]:
        shown.append(one.push(token))
        if one.stopped:
            break
    shown.append(one.finish())
    places = [text.find(stop) for stop in stops if stop in text]
    # What ends first ends it; of stops that end with one token the earliest counts.
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    first = min((place for place, end in zip(places, ends, strict=True) if end == min(ends)), default=len(text))
    assert "".join(shown) == one.text == text[:first]
    assert one.stopped == bool(places)


def test_text_that_may_begin_a_stop_waits_and_is_shown_if_it_does_not() -> None:
    one = Continuation(TOKENIZER, ("###",))
    assert [one.push(token) for token in TOKENIZER.encode("a##b#")[1:]] == ["a", "", "", "##b", ""]
    assert one.finish() == "#"
    assert not one.stopped


def test_encoding_puts_bos_first_and_spelled_control_tokens_stay_text() -> None:
    ids = TOKENIZER.encode("<s>a</s>")
    assert ids[0] == 1
    assert TOKENIZER.controls.isdisjoint(ids[1:])
    assert TOKENIZER.decode(ids[1:]) == "<s>a</s>"


def _words() -> TextTokenizer:
    """A vocabulary that is not over bytes: words, and an unknown token."""
    names = ["[UNK]", "[CLS]", "[SEP]", "the", "ferry", "##s", "left"]
    document = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
        "model": {
            "type": "WordPiece",
            "vocab": {name: index for index, name in enumerate(names)},
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    }
    sidecar = {
        "bos": {"id": 1, "token": "[CLS]"},
        "eos": {"id": 2, "token": "[SEP]"},
        "unk": {"id": 0, "token": "[UNK]"},
        "placeholders": {},
        "reserved": [[0, 3]],
    }
    data = {"tokenizer.json": json.dumps(document).encode(), "sidecar.json": json.dumps(sidecar).encode()}
    return text_tokenizer(data, bos=1, ends=frozenset({2}))


def test_other_vocabularies_are_told_piece_by_piece_too() -> None:
    words = _words()
    ids = words.encode("the ferrys left nobody")
    assert ids == [1, 3, 4, 5, 6, 0]
    assert _pieces(words, ids[1:5]) == ["the", " ferry", "s", " left", ""]


def test_a_prompt_that_would_become_a_control_token_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"'the \[SEP\]': the tokenizer makes the control token '\[SEP\]'"):
        _words().encode("the [SEP]")


def test_a_prompt_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"'the \\udcff': is no valid UTF-8 at character 4"):
        _words().encode(b"the \xff".decode("utf-8", "surrogateescape"))


def test_a_folder_of_hugging_face_has_its_control_tokens_in_the_file() -> None:
    document = json.loads(files()["tokenizer.json"])
    document["added_tokens"] = [
        {"id": 2, "content": "</s>", "special": True, "normalized": False, "single_word": False}
        | {"lstrip": False, "rstrip": False}
    ]
    other = text_tokenizer({"tokenizer.json": json.dumps(document).encode()}, bos=None, ends=frozenset({2}))
    assert other.encode("a") == [FIRST_BYTE + ord("a")]
    assert other.controls == {2}
    with pytest.raises(TokenizerError, match="control token '</s>'"):
        other.encode("a</s>")


@pytest.mark.parametrize(
    ("content", "message"),
    [({}, "there is no tokenizer.json"), ({"tokenizer.json": b"{}"}, "tokenizer.json or sidecar.json is broken")],
)
def test_a_broken_tokenizer_is_refused(content: dict[str, bytes], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        text_tokenizer(content, bos=1, ends=frozenset())
