"""From token ids back to what was said: the inverse of `pieces` and `encode`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from lauter.chat import control
from lauter.chat.conversation import (
    AssistantTurn,
    Block,
    ChatError,
    Conversation,
    Developer,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    Turn,
    UserTurn,
    shown,
)
from lauter.chat.tools import declarations

Said = list[tuple[str, bool]]
"""Texts and control tokens in order: the text or the name, and whether it is a control token."""

_HEAD = re.compile(r'\s*\{\s*"([^"\\]*)"\s*:\s*')
_TAIL = re.compile(r"\s*\}\s*([,\]])")


def parse(
    ids: Sequence[int], decode_text: Callable[[list[int]], str], control_ids: Mapping[str, int], *, bos: int | None
) -> Conversation:
    """The conversation that has these ids.

    A system text is given as it stands, the default one too. Whether the last turn is closed is not told.

    Args:
        ids: as `encode` gives them.
        decode_text: text of ids that are no control tokens.
        control_ids: name -> id of the control tokens.
        bos: id that comes first; None where there is none.

    Raises:
        ChatError: they are no conversation.
    """
    if bos is not None:
        if not ids or ids[0] != bos:
            raise ChatError(f"a conversation begins with BOS, id {bos}")
        ids = ids[1:]
    reader = _Reader(_said(ids, decode_text, control_ids))
    system = reader.section(control.SYSTEM_START, control.SYSTEM_END)
    developer = _developer(reader.section(control.DEVELOPER_START, control.DEVELOPER_END))
    turns: list[Turn] = []
    while reader.more:
        if reader.takes(control.ASSISTANT_START):
            turns.append(_answer(reader))
        else:
            turns.append(UserTurn(reader.section(control.USER_START, control.USER_END)))
    if turns and isinstance(turns[-1], AssistantTurn) and reader.before == (control.ASSISTANT_START, True):
        turns.pop()  # only opened, for an answer to come
    return Conversation(tuple(turns), system, developer)


def parse_answer(
    ids: Sequence[int], decode_text: Callable[[list[int]], str], control_ids: Mapping[str, int]
) -> AssistantTurn:
    """What a model said after `<|assistant_start|>`, up to `<|assistant_end|>` or the last id.

    Raises:
        ChatError: it keeps no order, or a tool call is no JSON.
    """
    reader = _Reader(_said(ids, decode_text, control_ids))
    turn = _answer(reader)
    if reader.more:
        raise ChatError(f"after the end of the turn comes {shown(reader.next[0])}")
    return turn


def tool_calls(text: str) -> ToolCalls:
    """The calls that stand between the control tokens of a call: `[{"name": {arguments}}, ...]`.

    Raises:
        ChatError: it is no such list.
    """
    calls, at = list[ToolCall](), text.find("[") + 1
    more = at > 0 and not text[: at - 1].strip()
    while more:
        head = _HEAD.match(text, at)
        if head is None:
            break
        end = _value_end(text, head.end())
        tail = _TAIL.match(text, end)
        if tail is None:
            break
        calls.append(ToolCall(head[1], text[head.end() : end]))
        at, more = tail.end(), tail[1] == ","
        if not more and not text[at:].strip():
            return ToolCalls(tuple(calls))
    raise ChatError(f"a tool call that is no list of calls: {shown(text)}")


def tool_outputs(text: str) -> tuple[ToolOutputs, str]:
    """The outputs with which a text begins, `[output, ...]`, and what comes after them.

    Raises:
        ChatError: it begins with no such list.
    """
    outputs, at = list[str](), 1
    while text.startswith("["):
        end = _value_end(text, at)
        outputs.append(text[at:end])
        if text.startswith(", ", end):
            at = end + 2
        elif text.startswith("]", end):
            return ToolOutputs(tuple(outputs)), text[end + 1 :]
        else:
            break
    raise ChatError(f"outputs of tools that are no list of JSON values: {shown(text)}")


class _Reader:
    """Reads forwards through what was said."""

    def __init__(self, said: Said) -> None:
        self._said = said
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._said)

    @property
    def next(self) -> tuple[str, bool]:
        return self._said[self._at]

    @property
    def before(self) -> tuple[str, bool]:
        return self._said[self._at - 1]

    def takes(self, name: str) -> bool:
        """Whether the next is this control token; then it is read."""
        found = self.more and self.next == (name, True)
        self._at += found
        return found

    def text(self) -> str:
        """The text that comes next, "" where none does."""
        if not self.more or self.next[1]:
            return ""
        self._at += 1
        return self.before[0]

    def section(self, start: str, end: str) -> str:
        self.require(start)
        text = self.text()
        self.require(end)
        return text

    def require(self, name: str) -> None:
        if not self.takes(name):
            raise ChatError(f"{shown(self.next[0]) if self.more else 'the end'} stands where {name} is due")


def _answer(reader: _Reader) -> AssistantTurn:
    blocks: list[Block] = []
    thinking = False
    while reader.more and not reader.takes(control.ASSISTANT_END):
        if reader.takes(control.INNER_PREFIX if not thinking else control.INNER_SUFFIX):
            thinking = not thinking
            continue
        if reader.takes(control.TOOLS_PREFIX):
            calls = tool_calls(reader.text())
            reader.require(control.TOOLS_SUFFIX)
            blocks.append(calls)
            text = reader.text()
            if text and not calls.answers:
                outputs, text = tool_outputs(text)
                blocks.append(outputs)
        else:
            text = reader.text()
            if not text:
                raise ChatError(f"{reader.next[0]} has no place here in the assistant's turn")
        if text:
            blocks.append(Thoughts(text) if thinking else Response(text))
    return AssistantTurn(tuple(blocks))


def _developer(text: str) -> Developer:
    first, _, rest = text.partition("\n")
    modes = {"Deliberation: enabled": True, "Deliberation: disabled": False}
    head = "Tool Capabilities:"
    if first not in modes or not rest.startswith((f"{head}\n", f"{head} disabled")):
        raise ChatError(f"the developer's text is none of this format: {shown(text)}")
    none = rest == f"{head} disabled"
    return Developer(modes[first], () if none else declarations(rest.removeprefix(f"{head}\n")))


def _said(ids: Sequence[int], decode_text: Callable[[list[int]], str], control_ids: Mapping[str, int]) -> Said:
    names = {index: name for name, index in control_ids.items()}
    said: Said = []
    run: list[int] = []

    def told() -> Said:
        text = decode_text(run) if run else ""
        run.clear()
        return [(text, False)] if text else []

    for index in ids:
        if index in names:
            said += [*told(), (names[index], True)]
        else:
            run.append(index)
    return said + told()


def _value_end(text: str, at: int) -> int:
    try:
        return json.JSONDecoder(parse_constant=_no_number).raw_decode(text, at)[1]
    except (ValueError, RecursionError) as error:
        raise ChatError(f"no JSON at character {at} of {shown(text)}") from error


def _no_number(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON has not.
    raise ValueError(name)
