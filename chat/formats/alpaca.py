"""Alpaca's form: `instruction`, `input` and `output` (the data set of Stanford Alpaca, R. Taori et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from lauter.chat.conversation import AssistantTurn, ChatError, Conversation, Response, Turn, UserTurn
from lauter.chat.formats import fields
from lauter.chat.formats.fields import Row


def conversation(row: Row) -> Conversation:
    """A row with `instruction` and `output`; at will `input`, `system`, and `history`, pairs of earlier turns.

    The user says the instruction, and after an empty line the input, where there is one.

    Raises:
        ChatError: a field is missing, empty or no text.
    """
    turns: list[Turn] = []
    history = row.get("history") or ()
    if not isinstance(history, Sequence) or isinstance(history, str):
        raise ChatError(f"history is no list but {type(history).__name__}")
    for place, pair in enumerate(history, 1):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ChatError(f"history, place {place}: no pair of question and answer")
        turns += _pair(pair[0], pair[1], f"history, place {place}")
    asked = fields.text(fields.required(row, "instruction"), "instruction")
    given = row.get("input") or ""
    if not isinstance(given, str):
        raise ChatError(f"input is no text but {type(given).__name__}")
    turns += _pair(f"{asked}\n\n{given}" if given.strip() else asked, fields.required(row, "output"), "the row")
    system = row.get("system") or None
    return Conversation(tuple(turns), None if system is None else fields.text(system, "system"))


def _pair(asked: object, answered: object, what: str) -> list[Turn]:
    response = Response(fields.text(answered, f"the answer of {what}"))
    return [UserTurn(fields.text(asked, f"the question of {what}")), AssistantTurn((response,))]
