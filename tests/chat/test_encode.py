"""Ids and masks of conversations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from lauter.chat.control import NAMES
from lauter.chat.conversation import AssistantTurn, ChatError, Conversation, Response, UserTurn
from lauter.chat.encode import encode
from lauter.chat.pieces import Piece, pieces
from tests.chat.conversations import BOS, CONTROL_IDS, conversations, encode_bytes


def test_bos_comes_once_and_the_assistants_tokens_carry_loss() -> None:
    found = pieces(Conversation((UserTurn("ab"), AssistantTurn((Response("c"),))), ""), open_answer=False)
    encoded = encode(found, encode_bytes, CONTROL_IDS, bos=BOS)
    assert encoded.ids[:3] == [1, 61, 62]
    assert encoded.ids[-6:] == [65, *encode_bytes("ab"), 66, 67, *encode_bytes("c"), 68][-6:]
    assert encoded.loss_spans == [len(encoded.ids) - 2, len(encoded.ids)]
    assert encode(found, encode_bytes, CONTROL_IDS, bos=None).loss_spans == [len(encoded.ids) - 3, len(encoded.ids) - 1]


@settings(max_examples=25)
@given(conversations())
def test_spans_say_which_pieces_are_trained(conversation: Conversation) -> None:
    found = pieces(conversation, open_answer=False)
    encoded = encode(found, encode_bytes, CONTROL_IDS, bos=BOS)
    trained = [False] + [piece.trained for piece in found for _ in ([0] if piece.control else encode_bytes(piece.text))]
    spans = encoded.loss_spans
    assert spans == sorted(set(spans))
    inside = [any(spans[i] <= place < spans[i + 1] for i in range(0, len(spans), 2)) for place in range(len(trained))]
    assert inside == trained
    assert encoded.ids.count(BOS) == 1


@pytest.mark.parametrize("name", [*NAMES, "<s>"])
def test_a_tokenizer_that_makes_control_tokens_of_text_is_found_out(name: str) -> None:
    fooled = CONTROL_IDS | {"<s>": BOS}
    found = pieces(Conversation((UserTurn(name),)), open_answer=True)
    with pytest.raises(ChatError, match="makes a control token of plain text"):
        encode(found, lambda text: [fooled.get(text, 1000)], CONTROL_IDS, bos=BOS)


def test_a_control_token_without_an_id_is_told() -> None:
    with pytest.raises(ChatError, match=r"no control token '<\|user_start\|>'"):
        encode([Piece("<|user_start|>", control=True, trained=False)], encode_bytes, {}, bos=None)
