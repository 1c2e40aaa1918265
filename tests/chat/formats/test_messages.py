"""Messages of the chat-completions protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lauter.chat.conversation import (
    AssistantTurn,
    ChatError,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)
from lauter.chat.formats.messages import conversation, of_messages

ASKED: dict[str, Any] = {"role": "user", "content": "Warm?"}
CALLS = [{"id": name, "function": {"name": "warm", "arguments": json.dumps({"where": name})}} for name in ("a", "b")]


def test_calls_and_outputs_become_part_of_the_turn() -> None:
    found = of_messages(
        [
            {"role": "system", "content": "Short."},
            ASKED,
            {"role": "assistant", "content": None, "reasoning_content": "Two.", "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "b", "content": "cold"},
            {"role": "tool", "tool_call_id": "a", "content": ' {"degrees": 12} '},
            {"role": "assistant", "content": "12 °C."},
        ]
    )
    calls = ToolCalls((ToolCall("warm", '{"where": "a"}'), ToolCall("warm", '{"where": "b"}')))
    outputs = ToolOutputs(('{"degrees": 12}', '"cold"'))
    assert found.system == "Short."
    assert found.turns == (UserTurn("Warm?"), AssistantTurn((Thoughts("Two."), calls, outputs, Response("12 °C."))))


def test_a_row_of_a_table_has_nulls_and_tools_as_text() -> None:
    nulls = {"tool_calls": None, "tool_call_id": None, "reasoning_content": None}
    call = {"function": {"name": "warm", "arguments": {"where": "Chur", "when": None}}}
    found = conversation(
        {
            "messages": [ASKED | nulls, {"role": "assistant", "content": ""} | nulls | {"tool_calls": [call]}],
            "tools": json.dumps([{"name": "warm"}]),
            "enable_thinking": True,
        }
    )
    assert found.developer.deliberation
    assert [tool.name for tool in found.developer.tools] == ["warm"]
    assert found.turns[1] == AssistantTurn((ToolCalls((ToolCall("warm", '{"where": "Chur"}'),)),))


def test_blocks() -> None:
    blocks = [
        {"type": "thoughts", "text": "Hm."},
        {"type": "tool_calls", "calls": [{"name": "warm", "arguments": "{}"}]},
        {"type": "tool_outputs", "outputs": [{"output": "12"}]},
        {"type": "response", "text": "12 °C."},
    ]
    found = of_messages([ASKED, {"role": "assistant", "content": {"blocks": blocks}}])
    calls = ToolCalls((ToolCall("warm", "{}"),))
    assert found.turns[1] == AssistantTurn((Thoughts("Hm."), calls, ToolOutputs(("12",)), Response("12 °C.")))


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "without a turn"),
        ([{"role": "system", "content": "a"}], "without a turn"),
        ([{"role": "user", "content": " "}], "the content of message 1 is empty"),
        ([{"role": "user", "content": "\ud800"}], "no Unicode at character 0"),
        ([{"role": "user"}], "no text but NoneType"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "type 'image_url'"),
        ([{"role": "user", "content": [{"type": "text", "text": None}]}], "message 1 has a part without a text"),
        ([{"role": "poet", "content": "a"}], "role 'poet'"),
        ([ASKED, {"role": "system", "content": "a"}], "only the first one can have"),
        ([{"role": "assistant", "content": "a"}], "begins with the assistant"),
        ([ASKED, {"role": "assistant", "content": ""}], "message 2 is empty"),
        ([ASKED, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}], "two response blocks"),
        ([ASKED, {"role": "tool", "content": "a"}], "without a call before it"),
        ([ASKED, {"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}], "without a call before it"),
        ([ASKED, {"role": "assistant", "tool_calls": [{"function": {}}]}], "without a name"),
        (
            [ASKED, {"role": "assistant", "tool_calls": CALLS}, {"role": "tool", "content": "1", "tool_call_id": "c"}],
            "answers the call 'c'",
        ),
        ([ASKED, {"role": "assistant", "tool_calls": CALLS[:1] * 2}], "message 2 has two calls of the same id"),
        (
            [ASKED, {"role": "assistant", "content": {"blocks": []}, "tool_calls": CALLS}],
            "message 2 has blocks, and beside them tool_calls",
        ),
        (
            [ASKED, {"role": "assistant", "tool_calls": CALLS}, {"role": "tool", "content": "1"}],
            "1 tool outputs for 2 calls",
        ),
        (
            [
                ASKED,
                {"role": "assistant", "content": "a"},
                ASKED,
                {"role": "assistant", "content": {"blocks": [{"type": "response", "text": "b"}]}},
            ],
            "message 4: one assistant message is a text",
        ),
        ([ASKED, {"role": "assistant", "content": {"blocks": [{"type": "poem"}]}}], "block of the type 'poem'"),
    ],
)
def test_refused(messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ChatError, match=message):
        of_messages(messages)


@pytest.mark.parametrize("row", [{}, {"messages": None}, {"messages": "["}, {"messages": 1}, {"messages": ["a"]}])
def test_a_row_without_messages(row: dict[str, Any]) -> None:
    with pytest.raises(ChatError, match="messages"):
        conversation(row)
