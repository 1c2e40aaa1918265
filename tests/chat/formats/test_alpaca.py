"""Rows of Alpaca."""

from __future__ import annotations

from typing import Any

import pytest

from lauter.chat.conversation import AssistantTurn, ChatError, Response, UserTurn
from lauter.chat.formats.alpaca import conversation


def test_an_instruction_with_and_without_input() -> None:
    row: dict[str, Any] = {"instruction": "Translate.", "input": "Grüezi", "output": "Hello"}
    assert conversation(row).turns == (UserTurn("Translate.\n\nGrüezi"), AssistantTurn((Response("Hello"),)))
    for nothing in ("", " ", None):
        assert conversation({**row, "input": nothing}).turns[0] == UserTurn("Translate.")


def test_history_and_system_come_first() -> None:
    found = conversation({"instruction": "c", "output": "d", "history": [["a", "b"]], "system": "Short."})
    turns = [turn.text if isinstance(turn, UserTurn) else turn.blocks for turn in found.turns]
    assert turns == ["a", (Response("b"),), "c", (Response("d"),)]
    assert found.system == "Short."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "no field instruction: the row has nothing"),
        ({"instruction": "a"}, "no field output: the row has instruction"),
        ({"nora@example.org": 1, "a": 2}, "no field instruction: the row has a, 1 whose name is no identifier$"),
        ({"instruction": "a", "output": " "}, "the answer of the row is empty"),
        ({"instruction": "a", "output": "b", "input": 1}, "input is no text but int"),
        ({"instruction": "a", "output": "b", "history": ["ab"]}, "history, place 1: no pair"),
        ({"instruction": "a", "output": "b", "history": [None]}, "history, place 1: no pair"),
        ({"instruction": "a", "output": "b", "history": True}, "history is no list but bool"),
    ],
)
def test_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ChatError, match=message):
        conversation(row)
