"""Conversations for the tests: strategies of hypothesis, and a vocabulary of single bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from lauter.chat.control import NAMES
from lauter.chat.conversation import (
    DISPLAY_ANSWERS,
    AssistantTurn,
    Block,
    Conversation,
    Developer,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)
from lauter.chat.tools import declared

BOS = 1
CONTROL_IDS = {name: 61 + place for place, name in enumerate(NAMES)}
_FIRST = 1000

TEXTS = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from([*NAMES, "<s>", "[1]", "] {", "Grüezi, wie goht's?", "你好", "// x\n}) => any;", "<|user_end|> a"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
).map(lambda value: json.dumps(value, ensure_ascii=False))
OBJECTS = st.dictionaries(TEXTS, st.integers(0, 9) | TEXTS, max_size=2).map(lambda one: json.dumps(one))
NAMED = st.from_regex(r"[a-z][a-z_.-]{0,8}", fullmatch=True).filter(lambda name: name != DISPLAY_ANSWERS)
CALLS = st.builds(ToolCall, NAMED, OBJECTS)

_PLAIN = st.sampled_from(["string", "integer", "number", "boolean", "null", "date", "array", "object"])
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": _PLAIN | st.lists(_PLAIN, max_size=2),
            "enum": st.lists(TEXTS | st.integers(0, 3), max_size=3),
            "description": TEXTS,
            "default": TEXTS | st.none() | st.integers(0, 3) | st.booleans(),
            "nullable": st.booleans(),
        },
    ),
    lambda inner: st.one_of(
        st.builds(lambda one, items: {**one, "type": "array", "items": items}, inner, inner),
        st.builds(lambda one, two: {"oneOf": [one, two]}, inner, inner),
        st.builds(
            lambda members, due: {"type": "object", "properties": members, "required": due},
            st.dictionaries(NAMED, inner, max_size=2),
            st.lists(NAMED, max_size=1),
        ),
    ),
    max_leaves=4,
)
SPECIFICATIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": NAMED},
    optional={
        "description": TEXTS,
        "parameters": st.builds(
            lambda members, all_due: {"type": "object", "properties": members, "required": [*members] * all_due},
            st.dictionaries(NAMED, SCHEMAS, max_size=3),
            st.booleans(),
        ),
    },
)


@st.composite
def assistant_turns(draw: st.DrawFn) -> AssistantTurn:
    """Any turn of an assistant."""
    blocks: list[Block] = []
    for _ in range(draw(st.integers(0, 4))):
        texts: list[type[Thoughts | Response]] = [Thoughts, Response]
        kinds = [kind for kind in texts if not blocks or type(blocks[-1]) is not kind]
        kind = draw(st.sampled_from([*kinds, None]))
        if kind is not None:
            blocks.append(kind(draw(TEXTS)))
            continue
        calls = draw(st.lists(CALLS, min_size=1, max_size=2))
        outputs = draw(st.lists(JSON, min_size=len(calls), max_size=len(calls)))
        blocks += [ToolCalls(tuple(calls)), ToolOutputs(tuple(outputs))]
    if draw(st.integers(0, 5)) == 0:
        name = draw(st.sampled_from([DISPLAY_ANSWERS, "look_up"]))
        blocks.append(ToolCalls((ToolCall(name, draw(OBJECTS)),)))
    return AssistantTurn(tuple(blocks))


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Any conversation with a system text of its own."""
    turns: list[UserTurn | AssistantTurn] = []
    for _ in range(draw(st.integers(1, 3))):
        turns += [UserTurn(draw(TEXTS)) for _ in range(draw(st.integers(1, 2)))]
        turns += [draw(assistant_turns())] * draw(st.booleans())
    tools = {one["name"]: declared(one) for one in draw(st.lists(SPECIFICATIONS, max_size=2))}
    return Conversation(tuple(turns), draw(TEXTS), Developer(draw(st.booleans()), tuple(tools.values())))


def encode_bytes(text: str) -> list[int]:
    """Ids of a text: its bytes, beyond those of the control tokens."""
    return [_FIRST + byte for byte in text.encode()]


def decode_bytes(ids: Sequence[int]) -> str:
    """The text of such ids."""
    return bytes(index - _FIRST for index in ids).decode()
