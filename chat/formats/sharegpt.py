"""ShareGPT's form: `conversations`, a list of `from` and `value`.

Source: rows of the public ShareGPT dumps (`from` is `human`, `gpt`, `system`), and the further speakers with which
LLaMA-Factory writes calls of tools (`function_call`, `observation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.chat.conversation import ChatError, Conversation
from lauter.chat.formats import fields
from lauter.chat.formats.fields import Row
from lauter.chat.formats.messages import of_messages

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "assistant": "assistant",
    "system": "system",
    "observation": "tool",
    "tool": "tool",
}


def conversation(row: Row) -> Conversation:
    """A row with `conversations`, and at will `system` and `tools`.

    Raises:
        ChatError: a speaker is unknown, or what they say makes no conversation (`messages.of_messages`).
    """
    said = fields.rows(fields.required(row, "conversations"), "conversations")
    messages = [_message(one, place) for place, one in enumerate(said, 1)]
    if row.get("system"):
        messages.insert(0, {"role": "system", "content": row["system"]})
    return of_messages(messages, tools=fields.tools(row))


def _message(said: Row, place: int) -> Mapping[str, Any]:
    speaker, value = said.get("from"), said.get("value")
    if speaker == "function_call":
        text = fields.text(value, f"the call in place {place}").strip()
        calls = fields.rows(text if text.startswith("[") else f"[{text}]", f"the call in place {place}")
        return {"role": "assistant", "tool_calls": calls}
    if not isinstance(speaker, str) or speaker not in _ROLES:
        raise ChatError(f"place {place}: unknown speaker {speaker!r}")
    return {"role": _ROLES[speaker], "content": value}
