"""A conversation as one line of JSON: the form in which a data set keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lauter.chat.conversation import (
    AssistantTurn,
    Block,
    ChatError,
    Conversation,
    Developer,
    Response,
    Thoughts,
    Tool,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    Turn,
    UserTurn,
    shown,
)


def to_record(conversation: Conversation) -> str:
    """The one way to write it: sorted keys, no spaces.

    >>> to_record(Conversation((UserTurn("Grüezi"),)))
    '{"deliberation":false,"system":null,"tools":[],"turns":[{"user":"Grüezi"}]}'
    """
    record = {
        "system": conversation.system,
        "deliberation": conversation.developer.deliberation,
        "tools": [{"name": tool.name, "declaration": tool.declaration} for tool in conversation.developer.tools],
        "turns": [
            {"user": turn.text} if isinstance(turn, UserTurn) else {"assistant": [_said(one) for one in turn.blocks]}
            for turn in conversation.turns
        ],
    }
    return json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def from_record(text: str) -> Conversation:
    """The conversation that `to_record` wrote.

    Raises:
        ChatError: it is none.
    """
    try:
        record: Mapping[str, Any] = json.loads(text)
        tools = tuple(Tool(tool["name"], tool["declaration"]) for tool in record["tools"])
        turns = tuple(_turn(turn) for turn in record["turns"])
        return Conversation(turns, record["system"], Developer(record["deliberation"], tools))
    except ChatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ChatError(f"no record of a conversation ({type(error).__name__}): {shown(text)}") from error


def _turn(turn: Mapping[str, Any]) -> Turn:
    if "user" in turn:
        return UserTurn(_text(turn["user"]))
    return AssistantTurn(tuple(_block(block) for block in turn["assistant"]))


def _said(block: Block) -> dict[str, object]:
    match block:
        case Thoughts(text):
            return {"thoughts": text}
        case Response(text):
            return {"response": text}
        case ToolOutputs(outputs):
            return {"outputs": list(outputs)}
        case ToolCalls(calls):
            return {"calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}


def _block(block: Mapping[str, Any]) -> Block:
    ((kind, value),) = block.items()
    match kind:
        case "thoughts":
            return Thoughts(_text(value))
        case "response":
            return Response(_text(value))
        case "outputs":
            return ToolOutputs(tuple(map(_text, value)))
        case "calls":
            return ToolCalls(tuple(ToolCall(_text(call["name"]), _text(call["arguments"])) for call in value))
        case _:
            raise ChatError(f"a block of the kind {kind!r}, which no assistant has")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
