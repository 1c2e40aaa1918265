"""Conversations as lines of JSON."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from lauter.chat.conversation import ChatError, Conversation
from lauter.chat.record import from_record, to_record
from tests.chat.conversations import conversations


@settings(max_examples=25)
@given(conversations())
def test_a_conversation_comes_back(conversation: Conversation) -> None:
    record = to_record(conversation)
    assert "\n" not in record
    assert from_record(record) == conversation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"deliberation":false,"system":null,"tools":[],"turns":[]}',
        '{"deliberation":false,"system":null,"tools":[],"turns":[{"user":1}]}',
        '{"deliberation":false,"system":null,"tools":[],"turns":[{"user":"a"},{"assistant":[{"poem":"b"}]}]}',
        '{"deliberation":false,"system":null,"tools":[],"turns":[{"user":"a"},{"assistant":[{}]}]}',
    ],
)
def test_no_record(text: str) -> None:
    with pytest.raises(ChatError):
        from_record(text)
