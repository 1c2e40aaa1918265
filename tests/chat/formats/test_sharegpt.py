"""Rows of ShareGPT."""

from __future__ import annotations

from typing import Any

import pytest

from lauter.chat.conversation import (
    AssistantTurn,
    ChatError,
    Response,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)
from lauter.chat.formats.sharegpt import conversation


def test_speakers_and_calls() -> None:
    said = [
        ("human", "Warm?"),
        ("function_call", '{"name": "warm", "arguments": {"where": "Chur"}}'),
        ("observation", "12"),
        ("gpt", "12 °C."),
    ]
    row = {"conversations": [{"from": who, "value": what} for who, what in said], "system": "Short.", "tools": ""}
    found = conversation(row)
    calls = ToolCalls((ToolCall("warm", '{"where": "Chur"}'),))
    assert found.system == "Short."
    assert found.turns == (UserTurn("Warm?"), AssistantTurn((calls, ToolOutputs(("12",)), Response("12 °C."))))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "without a turn"),
        ([{"from": "poet", "value": "a"}], "place 1: unknown speaker 'poet'"),
        ([{"from": "gpt", "value": "a"}], "begins with the assistant"),
        ([{"from": "human", "value": "a"}, {"from": "function_call", "value": "warm()"}], "no JSON"),
    ],
)
def test_refused(said: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ChatError, match=message):
        conversation({"conversations": said})
