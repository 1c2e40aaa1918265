"""Conversations that can't be."""

from __future__ import annotations

import pytest

from lauter.chat.conversation import (
    DISPLAY_ANSWERS,
    AssistantTurn,
    ChatError,
    Conversation,
    Developer,
    Response,
    Thoughts,
    Tool,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)

CALL = ToolCalls((ToolCall("look_up", "{}"),))
ANSWER = ToolCalls((ToolCall(DISPLAY_ANSWERS, "{}"),))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conversation(()), "without a turn"),
        (lambda: Conversation((AssistantTurn(()),)), "begins with the assistant"),
        (
            lambda: Conversation((UserTurn("a"), AssistantTurn(()), AssistantTurn(()))),
            "turn 3: the assistant speaks twi",
        ),
        (lambda: Response(""), "empty"),
        (lambda: Thoughts(""), "empty"),
        (lambda: ToolCall("look up", "{}"), "can't be a tool's name"),
        (lambda: ToolCall("look_up", "[]"), "no JSON object"),
        (lambda: ToolCall("look_up", "{"), "no JSON"),
        (lambda: ToolCall("look_up", " {}"), "space before or after"),
        (lambda: ToolOutputs(("NaN",)), "output 1 of the tools: no JSON"),
        (lambda: ToolOutputs(("it is warm",)), "no JSON"),
        (lambda: ToolCalls(()), "without a call"),
        (lambda: ToolCalls((*CALL.calls, *ANSWER.calls)), "called alone"),
        (lambda: AssistantTurn((ToolOutputs(("1",)),)), "without a tool call"),
        (lambda: AssistantTurn((ANSWER, ToolOutputs(("1",)))), "without a tool call"),
        (lambda: AssistantTurn((CALL, ToolOutputs(("1", "2")))), "2 tool outputs for 1 calls"),
        (lambda: AssistantTurn((CALL, Response("[1]"))), "no output after the call of 'look_up'"),
        (lambda: AssistantTurn((ANSWER, Response("a"))), "nothing comes after it"),
        (lambda: AssistantTurn((Response("a"), Response("b"))), "two response blocks"),
        (lambda: Developer(tools=(Tool("a", "type a = () => any;"),) * 2), "two tools are called 'a'"),
    ],
)
def test_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ChatError, match=message):
        make()


def test_the_prompt_is_what_comes_before_the_last_answer() -> None:
    asked = Conversation((UserTurn("a"),), "short")
    whole = Conversation((*asked.turns, AssistantTurn((Response("b"),))), "short")
    assert whole.answered
    assert not asked.answered
    assert whole.prompt == asked == asked.prompt


def test_only_calls_without_outputs_wait() -> None:
    assert AssistantTurn((CALL,)).awaits_tools
    assert not AssistantTurn((CALL, ToolOutputs(("1",)))).awaits_tools
    assert not AssistantTurn((ANSWER,)).awaits_tools
    assert not AssistantTurn(()).awaits_tools
