"""A conversation: system text, what the developer allows, and the turns of user and assistant.

What is no conversation can't be made: every class checks itself, so that text and conversation say the same and each
can be had from the other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import NoReturn

DISPLAY_ANSWERS = "display_answers"
"""The tool whose call is the answer itself, for a program to read: it stands outside of the thoughts, and ends a turn
(Apertus's chat format, `docs/format.md` of its repository)."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class ChatError(ValueError):
    """What is no conversation, or can't be said in the chat format; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the assistant may call."""

    name: str
    """Letters, digits, `_`, `.` and `-`, 128 at most."""
    declaration: str
    """As the model reads it: a type in the manner of TypeScript (`tools.declared` makes it of a JSON schema)."""

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class Developer:
    """What the assistant may do, as the developer of an application says it."""

    deliberation: bool = False
    """Whether it is to think before it answers."""
    tools: tuple[Tool, ...] = ()

    def __post_init__(self) -> None:
        known = set[str]()  # A request may bring tens of thousands.
        for tool in self.tools:
            if tool.name in known:
                raise ChatError(f"two tools are called {tool.name!r}")
            known.add(tool.name)


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What the user says."""

    text: str


@dataclass(frozen=True, slots=True)
class Thoughts:
    """What the assistant thinks before it speaks."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise ChatError("thoughts are empty")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    name: str
    arguments: str
    """A JSON object, as text."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(json_text(self.arguments, f"arguments of the tool {self.name!r}"), dict):
            raise ChatError(f"arguments of the tool {self.name!r} are no JSON object: {shown(self.arguments)}")


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Calls that go out together."""

    calls: tuple[ToolCall, ...]

    def __post_init__(self) -> None:
        if not self.calls:
            raise ChatError("tool calls without a call")
        if len(self.calls) > 1 and any(call.name == DISPLAY_ANSWERS for call in self.calls):
            raise ChatError(f"{DISPLAY_ANSWERS!r} is the answer: it is called alone, with no other tool")

    @property
    def answers(self) -> bool:
        """Whether the call is the answer."""
        return self.calls[0].name == DISPLAY_ANSWERS


@dataclass(frozen=True, slots=True)
class ToolOutputs:
    """What the tools gave, one output for each call, in the order of the calls."""

    outputs: tuple[str, ...]
    """JSON values, as text: only so it can be told where one ends. Plain text is given as a JSON string."""

    def __post_init__(self) -> None:
        for place, output in enumerate(self.outputs, 1):
            json_text(output, f"output {place} of the tools")


@dataclass(frozen=True, slots=True)
class Response:
    """What the assistant says to the user."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise ChatError("a response is empty")


Block = Thoughts | ToolCalls | ToolOutputs | Response


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    """What the assistant does until the user speaks again: blocks in order; none where it said nothing.

    Outputs follow their calls at once. What comes after calls without outputs would be read as their outputs: such
    calls end the turn. Two responses or two thoughts in a row are one.
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        before: Block | None = None
        for block in self.blocks:
            if isinstance(block, ToolOutputs):
                if not isinstance(before, ToolCalls) or before.answers:
                    raise ChatError("tool outputs without a tool call before them")
                if len(block.outputs) != len(before.calls):
                    raise ChatError(f"{len(block.outputs)} tool outputs for {len(before.calls)} calls")
            elif isinstance(before, ToolCalls):
                _refuse_after(before)
            elif type(block) is type(before):
                raise ChatError(f"two {type(block).__name__.lower()} blocks in a row: they are one")
            before = block

    @property
    def awaits_tools(self) -> bool:
        """Whether its last calls are without outputs yet."""
        last = self.blocks[-1] if self.blocks else None
        return isinstance(last, ToolCalls) and not last.answers


Turn = UserTurn | AssistantTurn


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue. It begins with the user, who may speak twice in a row, and the assistant never does."""

    turns: tuple[Turn, ...]
    system: str | None = None
    """None: the default text (`control.default_system`)."""
    developer: Developer = field(default_factory=Developer)

    def __post_init__(self) -> None:
        if not self.turns:
            raise ChatError("a conversation without a turn")
        before: Turn | None = None
        for place, turn in enumerate(self.turns, 1):
            if isinstance(turn, AssistantTurn) and not isinstance(before, UserTurn):
                why = "the conversation begins with the assistant" if before is None else "the assistant speaks twice"
                raise ChatError(f"turn {place}: {why}")
            before = turn

    @property
    def prompt(self) -> Conversation:
        """The conversation without the assistant's last turn."""
        return Conversation(self.turns[:-1], self.system, self.developer) if self.answered else self

    @property
    def answered(self) -> bool:
        """Whether the last turn is the assistant's."""
        return isinstance(self.turns[-1], AssistantTurn)


def check_name(name: str) -> None:
    """Refuse what can't be a tool's name.

    Raises:
        ChatError: it has other characters than letters, digits, `_`, `.` and `-`, or more than 128 of them.
    """
    if not _NAME.fullmatch(name):
        raise ChatError(f"{shown(name)} can't be a tool's name: letters, digits, '_', '.' and '-', 128 at most")


def json_text(text: str, what: str) -> object:
    """The value of a JSON text (RFC 8259) without space around it.

    Raises:
        ChatError: it is none.
    """
    try:
        value: object = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ChatError(f"{what}: no JSON: {shown(text)}") from error
    if text != text.strip():
        raise ChatError(f"{what}: space before or after the JSON: {shown(text)}")
    return value


def shown(text: str) -> str:
    """A text as it stands in a message: 80 characters at most."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _no_number(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON has not.
    raise ValueError(name)


def _refuse_after(calls: ToolCalls) -> NoReturn:
    if calls.answers:
        raise ChatError(f"{DISPLAY_ANSWERS!r} is the answer: nothing comes after it in a turn")
    raise ChatError(f"no output after the call of {calls.calls[-1].name!r}: what follows a call are its outputs")
