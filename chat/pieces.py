"""A conversation as texts and control tokens in order: the chat format of Apertus.

Ids, masks and the rendered text all follow from these pieces. Source: Apertus's chat template and `docs/format.md` of
swiss-ai/apertus_format (version of 2025). Two things are ours: a finished turn always ends with `<|assistant_end|>`,
where that template writes it only before the next turn of the user, so that a model learns to stop; and what comes
after tool outputs goes on in the same turn when it is to be generated too, as it does when it is read.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lauter.chat import control
from lauter.chat.conversation import (
    AssistantTurn,
    Block,
    Conversation,
    Developer,
    Response,
    Thoughts,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)


class Piece(NamedTuple):
    """A text, or one control token."""

    text: str
    """The text, or the control token's name."""
    control: bool
    """Whether it is a control token: only its place in a conversation makes it one, never what a text says."""
    trained: bool
    """Whether the assistant itself says it, and learns to."""


def pieces(conversation: Conversation, *, open_answer: bool, date: datetime.date | None = None) -> list[Piece]:
    """The whole conversation, without BOS.

    `open_answer`: the assistant is to go on, in a turn of its own, or in its last one where that is the last turn (as
    after tool outputs). Otherwise its last turn is closed. `date` is told where the conversation has no system text of
    its own. No two texts follow each other but tool outputs and what the assistant says after them.
    """
    system = control.default_system(date) if conversation.system is None else conversation.system
    found = [
        *_section(control.SYSTEM_START, system, control.SYSTEM_END),
        *_section(control.DEVELOPER_START, developer_text(conversation.developer), control.DEVELOPER_END),
    ]
    for turn in conversation.turns:
        if isinstance(turn, UserTurn):
            found += _section(control.USER_START, turn.text, control.USER_END)
            continue
        found.append(_control(control.ASSISTANT_START, trained=False))
        found += answer_pieces(turn, closed=not (open_answer and turn is conversation.turns[-1]))
    if open_answer and not conversation.answered:
        found.append(_control(control.ASSISTANT_START, trained=False))
    return found


def answer_pieces(turn: AssistantTurn, *, closed: bool) -> list[Piece]:
    """The assistant's turn after `<|assistant_start|>`: the pieces of a prompt and these are those of the whole.

    `closed`: `<|assistant_end|>` ends the turn, and with it thoughts that no response followed.
    """
    found: list[Piece] = []
    thinking = False
    for block in turn.blocks:
        opens = isinstance(block, Thoughts)
        if opens and not thinking:
            found.append(_control(control.INNER_PREFIX))
            thinking = True
        elif thinking and (isinstance(block, Response) or (isinstance(block, ToolCalls) and block.answers)):
            found.append(_control(control.INNER_SUFFIX))
            thinking = False
        found += _block(block)
    if closed:
        found.append(_control(control.ASSISTANT_END))
    return found


def thinks_on(of: Sequence[Piece]) -> bool:
    """Whether an open answer goes on in thoughts: calls and their outputs leave them open, only a response ends them.

    >>> asked = Conversation((UserTurn("Warm?"), AssistantTurn((Thoughts("Hm."),))))
    >>> [thinks_on(pieces(one, open_answer=True)) for one in (asked, asked.prompt)]
    [True, False]
    """
    marks = (control.ASSISTANT_START, control.INNER_PREFIX, control.INNER_SUFFIX)
    last = next((piece.text for piece in reversed(of) if piece.control and piece.text in marks), "")
    return last == control.INNER_PREFIX


def developer_text(developer: Developer) -> str:
    r"""What stands between the developer's control tokens.

    >>> developer_text(Developer())
    'Deliberation: disabled\nTool Capabilities: disabled'
    """
    tools = "".join(f"\n{tool.declaration}" for tool in developer.tools) or " disabled"
    return f"Deliberation: {'enabled' if developer.deliberation else 'disabled'}\nTool Capabilities:{tools}"


def rendered(of: list[Piece], *, bos: str = "") -> str:
    """All as one text after `bos`, as the Jinja template has it. Never encode it: a text may spell a control token."""
    return bos + "".join(piece.text for piece in of)


def _block(block: Block) -> Iterator[Piece]:
    match block:
        case Thoughts(text) | Response(text):
            yield Piece(text, control=False, trained=True)
        case ToolCalls(calls):
            yield _control(control.TOOLS_PREFIX)
            said = ", ".join(f'{{"{call.name}": {call.arguments}}}' for call in calls)
            yield Piece(f"[{said}]", control=False, trained=True)
            yield _control(control.TOOLS_SUFFIX)
        case ToolOutputs(outputs):
            yield Piece(f"[{', '.join(outputs)}]", control=False, trained=False)


def _section(start: str, text: str, end: str) -> Iterator[Piece]:
    yield _control(start, trained=False)
    if text:
        yield Piece(text, control=False, trained=False)
    yield _control(end, trained=False)


def _control(name: str, *, trained: bool = True) -> Piece:
    return Piece(name, control=True, trained=trained)
