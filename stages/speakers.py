"""Who says what in a dialogue: the stretches of its text between marks (`schema.MARK`), each with its speaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from lauter.chat import control


class Speaker(Enum):
    """Who says a stretch, and to whom."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ANSWER = "answer"
    THOUGHTS = "thoughts"
    CALL = "call"
    OUTPUT = "output"


class Said(NamedTuple):
    """Code points [start, end) of a text."""

    speaker: Speaker
    start: int
    end: int


_OPENED = {
    control.SYSTEM_START: Speaker.SYSTEM,
    control.DEVELOPER_START: Speaker.DEVELOPER,
    control.USER_START: Speaker.USER,
    control.ASSISTANT_START: Speaker.ANSWER,
    control.INNER_PREFIX: Speaker.THOUGHTS,
    control.INNER_SUFFIX: Speaker.ANSWER,
    control.TOOLS_PREFIX: Speaker.CALL,
    control.TOOLS_SUFFIX: Speaker.OUTPUT,
}
"""A control token -> who speaks behind it."""


def stretches(marks: Sequence[Mapping[str, Any]], length: int) -> list[Said]:
    """All stretches of a dialogue that are not empty, in order; its text has `length` code points.

    A mark without a control token stands behind a tool's output: the assistant goes on where it was, in its thoughts or
    in its answer.
    """
    found: list[Said] = []
    speaker, inner = Speaker.SYSTEM, False
    for place, mark in enumerate(marks):
        end = marks[place + 1]["start"] if place + 1 < len(marks) else length
        name = mark["control"]
        if name in (control.INNER_PREFIX, control.INNER_SUFFIX, control.ASSISTANT_START):
            inner = name == control.INNER_PREFIX
        after_output = Speaker.THOUGHTS if inner else Speaker.ANSWER
        speaker = after_output if name is None else _OPENED.get(name, speaker)
        if end > mark["end"]:
            found.append(Said(speaker, mark["end"], end))
    return found
