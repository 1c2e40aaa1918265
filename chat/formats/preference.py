"""Pairs of answers of which one was preferred, in the usual public forms.

With a prompt apart: `prompt` (or `question`, with `system`), a text or messages, and `chosen` and `rejected`, each a
text or messages (TRL's explicit prompt; Orca DPO pairs). Without one: `chosen` and `rejected` are whole conversations
that differ in the last turn, as messages (UltraFeedback binarized) or as one text of `Human:` and `Assistant:`
paragraphs (Anthropic HH-RLHF).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lauter.chat.conversation import AssistantTurn, ChatError, Conversation
from lauter.chat.formats import fields
from lauter.chat.formats.fields import Row
from lauter.chat.formats.messages import SYSTEM, of_messages

_SPOKEN = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt and two answers."""

    prompt: Conversation
    """Its last turn is the user's."""
    chosen: AssistantTurn
    rejected: AssistantTurn
    chosen_score: float | None = None
    """What a judge gave, in the data set's own measure."""
    rejected_score: float | None = None


def preference(row: Row) -> Preference:
    """A row with `chosen` and `rejected`; at will `score_chosen` and `score_rejected`.

    Raises:
        ChatError: a field is missing, the prompts differ, an answer is none, or both answers are the same.
    """
    prompt = row.get("prompt") if row.get("prompt") is not None else row.get("question")
    sides = [_messages(fields.required(row, name), name) for name in ("chosen", "rejected")]
    # Whether the prompt is repeated in the answers shows in their first message: UltraFeedback has it twice.
    if all(side and side[0].get("role") == "assistant" for side in sides):
        before = _messages(prompt, "prompt", role="user") if prompt is not None else []
        sides = [[*before, *side] for side in sides]
    if row.get("system"):
        system = {"role": "system", "content": row["system"]}
        sides = [side if side and side[0].get("role") in SYSTEM else [system, *side] for side in sides]
    chosen, rejected = (
        of_messages(side, tools=fields.tools(row), deliberation=bool(row.get("enable_thinking"))) for side in sides
    )
    better, worse = chosen.turns[-1], rejected.turns[-1]
    if not isinstance(better, AssistantTurn) or not isinstance(worse, AssistantTurn):
        raise ChatError("chosen or rejected does not end with the assistant's turn")
    if chosen.prompt != rejected.prompt:
        raise ChatError("chosen and rejected differ before their last turn: they answer two prompts")
    if better == worse:
        raise ChatError("chosen and rejected are the same")
    scores = [_score(row.get(name), name) for name in ("score_chosen", "score_rejected")]
    return Preference(chosen.prompt, better, worse, *scores)


def _messages(value: object, what: str, *, role: str = "assistant") -> list[Mapping[str, Any]]:
    if not isinstance(value, str):
        return list(fields.rows([value] if isinstance(value, Mapping) else value, what))
    if not _SPOKEN.match(value):
        return [{"role": role, "content": value}]
    parts = _SPOKEN.split(value)[1:]
    return [
        {"role": _ROLES[speaker], "content": said.strip()}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def _score(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ChatError(f"{name} is no number but {type(value).__name__}")
    return float(value)
