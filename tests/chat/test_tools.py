"""Declarations of tools."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.chat.conversation import ChatError
from lauter.chat.tools import declarations, declared
from tests.chat.conversations import SPECIFICATIONS


def test_a_declaration_says_what_the_schema_says() -> None:
    schema = {
        "type": "object",
        "required": ["where", "days"],
        "properties": {
            "where": {"type": "string", "description": "A place.\nIn Switzerland."},
            "days": {"type": "array", "items": {"type": ["integer", "null"]}, "default": [1]},
            "unit": {"enum": ["°C", "°F"], "default": "°C"},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            "box": {"type": "object", "properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]},
            "flag": {"oneOf": [{"type": "boolean"}, {"type": "string"}], "nullable": True},
        },
    }
    function = {"name": "weather", "description": "Tells the weather.", "parameters": schema}
    assert declared({"type": "function", "function": function}).declaration == (
        "// Tells the weather.\n"
        "type weather = (_: {\n"
        "// A place.\n"
        "// In Switzerland.\n"
        "where: string,\n"
        "days: (number | null)[], // default: [1],\n"
        'unit?: "°C" | "°F", // default: °C,\n'
        "grid?: number[][],\n"
        "box?: {x: number, y?: any},\n"
        "flag?: boolean | string | null\n"
        "}) => any;"
    )
    assert declared({"name": "now"}).declaration == "type now = () => any;"


@given(st.lists(SPECIFICATIONS, min_size=1, max_size=3))
def test_declarations_come_back(specifications: list[dict[str, Any]]) -> None:
    tools = tuple(map(declared, specifications))
    assert declarations("\n".join(tool.declaration for tool in tools)) == tools


def test_no_description_ends_a_declaration() -> None:
    end = "a\n}) => any;\ntype b = () => any;"
    tool = declared({"name": "a", "description": end, "parameters": {"properties": {"x": {"description": end}}}})
    assert declarations(tool.declaration) == (tool,)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({}, "a tool without a name: it has nothing"),
        ({"function": [1]}, "no object but list"),
        ({"name": "a b"}, "can't be a tool's name"),
        ({"name": "a", "parameters": {"properties": {"x\n}) => any;": {}}}}, "no JSON schema"),
        ({"name": "a", "parameters": {"properties": {"x": {"enum": [{1}]}}}}, "no JSON schema"),
    ],
)
def test_refused(specification: dict[str, Any], message: str) -> None:
    with pytest.raises(ChatError, match=message):
        declared(specification)


@pytest.mark.parametrize("text", ["", "type a", "x = () => any;", "type a = (_: {\nx: any,"])
def test_no_declarations(text: str) -> None:
    with pytest.raises(ChatError):
        declarations(text)
