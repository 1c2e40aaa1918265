"""What is sent, as OpenAI's own types read it; and what a client sends back of it."""

from __future__ import annotations

import json

from hypothesis import given, settings
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageFunctionToolCall

from lauter.chat.conversation import (
    AssistantTurn,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    UserTurn,
)
from lauter.chat.formats.messages import of_messages
from lauter.trainer.serve.answer import Said
from lauter.trainer.serve.reply import Heading, choice, delta, event, opening, usage
from tests.chat.conversations import CALLS, TEXTS

HEADING = Heading("chatcmpl-1", 1_800_000_000, "small")


def test_a_completion() -> None:
    said = Said("Hoi", "Hm.", (ToolCall("warm", "{}"),))
    told = HEADING.completion([choice(0, said, "tool_calls", "x", None)], usage(3, 4))
    found = ChatCompletion.model_validate(told, strict=True)
    (one,) = found.choices
    assert one.message.content == "Hoi"
    assert (one.message.model_extra or {})["reasoning_content"] == "Hm."
    assert one.message.tool_calls is not None
    (call,) = one.message.tool_calls
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert (call.id, call.function.name, call.function.arguments) == ("call_x_0_0", "warm", "{}")
    assert found.usage is not None
    assert found.usage.total_tokens == 7


def test_chunks() -> None:
    said = Said("Hoi", "", (ToolCall("warm", "{}"), ToolCall("cold", "{}")))
    chunks = [
        HEADING.chunk([opening(1)]),
        HEADING.chunk([delta(1, said, "x", None, reason="tool_calls")]),
        HEADING.chunk([], usage=usage(1, 2)),
    ]
    first, second, last = (
        ChatCompletionChunk.model_validate(json.loads(event(one).removeprefix(b"data: "))) for one in chunks
    )
    assert first.choices[0].delta.role == "assistant"
    assert [(one.index, one.id) for one in second.choices[0].delta.tool_calls or ()] == [
        (0, "call_x_1_0"),
        (1, "call_x_1_1"),
    ]
    assert second.choices[0].delta.content == "Hoi"
    assert second.choices[0].finish_reason == "tool_calls"
    assert last.usage is not None
    assert last.choices == []


@settings(max_examples=40)
@given(TEXTS.filter(str.strip), TEXTS.filter(str.strip), CALLS)
def test_a_message_that_comes_back_is_the_turn_that_was_said(thoughts: str, response: str, call: ToolCall) -> None:
    said = Said(response, thoughts, (call,))
    message = json.loads(json.dumps(choice(0, said, "tool_calls", "x", None)["message"]))
    found = of_messages([{"role": "user", "content": "?"}, message])
    assert found.turns == (
        UserTurn("?"),
        AssistantTurn((Thoughts(thoughts), Response(response), ToolCalls((call,)))),
    )
