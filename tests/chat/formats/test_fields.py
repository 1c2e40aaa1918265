"""Fields of rows; and whatever a row holds, a reader says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.chat.conversation import ChatError
from lauter.chat.formats import alpaca, fields, messages, preference, sharegpt

NAMES = (
    *("messages", "tools", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments"),
    *("blocks", "calls", "outputs", "output", "tool_call_id", "id", "parts", "reasoning_content", "parameters"),
    *("properties", "conversations", "from", "value", "instruction", "input", "history", "system"),
    *("chosen", "rejected", "prompt", "question", "score_chosen"),
)
WORDS = ("user", "assistant", "tool", "system", "human", "gpt", "function_call", "text", "thoughts", "{}", "[1]", "a")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(WORDS[:4])},
        optional={"content": ANYTHING, "tool_calls": ANYTHING, "tool_call_id": ANYTHING, "reasoning_content": ANYTHING},
    ),
    max_size=4,
)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING | MESSAGES))
def test_no_row_brings_a_reader_down(row: dict[str, Any]) -> None:
    for read in (messages.conversation, sharegpt.conversation, alpaca.conversation, preference.preference):
        try:
            read(row)
        except ChatError as error:
            assert str(error)


def test_what_a_tool_gave_is_json_or_becomes_it() -> None:
    assert fields.output(' {"a": 1}\n') == '{"a": 1}'
    assert fields.output("warm\n") == '"warm\\n"'
    assert fields.output("NaN") == '"NaN"'


def test_arguments_are_an_object_without_nulls() -> None:
    assert fields.arguments({"a": 1, "b": None}) == '{"a": 1}'
    assert fields.arguments(None) == fields.arguments(" ") == "{}"
    with pytest.raises(ChatError, match="no JSON"):
        fields.arguments({"a": b""})
