"""A conversation as a text that people and stages read, and the marks of what stands between its turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lauter.chat import control
from lauter.chat.conversation import Conversation
from lauter.chat.pieces import Piece, pieces

SEPARATOR = "\n\n"
"""Between two turns in the text, under a mark: a paragraph's end, over which no stage reads words, and no token."""


class Mark(NamedTuple):
    """One mark, of `schema.MARK`."""

    start: int
    end: int
    control: str | None = None
    literal: str | None = None
    trained: bool = False
    opens: bool = False


class Marked(NamedTuple):
    """A dialogue as a record has it."""

    text: str
    marks: tuple[Mark, ...]
    identity: bytes
    """What is the same for equal dialogues and no others: the text alone does not say who said it."""


def marked(conversation: Conversation) -> Marked:
    """Text and marks; where the user spoke last, the assistant is to go on.

    What the chat format itself says in every conversation (the default system text, a developer's block without tools)
    is no part of the text: it would make short dialogues copies of each other, and be counted as English. No day is
    told: a corpus must not depend on it.
    """
    parts: list[str] = []
    marks: list[Mark] = []
    length = 0
    waiting: list[Mark] = []
    whole = list(pieces(conversation, open_answer=not conversation.answered))
    for piece in _literals(whole, conversation):
        if isinstance(piece, Mark):
            waiting.append(piece)
            continue
        if not piece.text:
            continue
        gap = SEPARATOR if parts else ""
        if gap and not waiting:
            waiting.append(Mark(0, 0))
        marks += _placed(waiting, length, len(gap), opens=piece.trained)
        parts += [gap, piece.text]
        length += len(gap) + len(piece.text)
        waiting = []
    marks += _placed(waiting, length, 0, opens=False)
    said = "".join(f"\0{piece.text}\0" if piece.control else piece.text for piece in whole)
    return Marked("".join(parts), tuple(marks), said.encode("utf-8", "surrogatepass"))


def _literals(whole: list[Piece], conversation: Conversation) -> Iterator[Mark | Piece]:
    """Control tokens as marks without a place, each with the format's own words behind it, and all other texts."""
    fixed: set[str] = set()
    if conversation.system is None:
        fixed.add(control.SYSTEM_START)
    if not conversation.developer.tools:
        fixed.add(control.DEVELOPER_START)
    skip = False
    for place, piece in enumerate(whole):
        if skip:
            skip = False
        elif piece.control:
            following = whole[place + 1] if place + 1 < len(whole) else None
            skip = piece.text in fixed and following is not None and not following.control
            yield Mark(0, 0, piece.text, following.text if skip and following else None, trained=piece.trained)
        else:
            yield piece


def _placed(waiting: list[Mark], at: int, gap: int, *, opens: bool) -> list[Mark]:
    """Marks at a place of the text: the first one covers what is between two turns, the last one says what follows."""
    last = len(waiting) - 1
    return [
        mark._replace(start=at if not place else at + gap, end=at + gap, opens=opens and place == last)
        for place, mark in enumerate(waiting)
    ]
