"""Messages with roles, as the chat-completions protocol has them, and Apertus's blocks.

Source: the request of OpenAI's chat completions (fields `role`, `content`, `tool_calls`, `tool_call_id`), with
`reasoning_content` as vLLM and others give thoughts back; blocks as in `docs/format.md` of swiss-ai/apertus_format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lauter.chat.conversation import (
    AssistantTurn,
    Block,
    ChatError,
    Conversation,
    Developer,
    Response,
    Thoughts,
    Tool,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    Turn,
    UserTurn,
)
from lauter.chat.formats import fields
from lauter.chat.formats.fields import Row

SYSTEM = ("system", "developer")
"""Roles of the first message; the protocol calls it by the second name of late."""


def conversation(row: Row) -> Conversation:
    """A row with `messages`, and at will `tools` (JSON schemas, or that list as JSON) and `enable_thinking`.

    Raises:
        ChatError: see `of_messages`.
    """
    found = fields.rows(fields.required(row, "messages"), "messages")
    return of_messages(found, tools=fields.tools(row), deliberation=bool(row.get("enable_thinking")))


def of_messages(messages: Sequence[Row], *, tools: tuple[Tool, ...] = (), deliberation: bool = False) -> Conversation:
    """Messages in order as a conversation; calls of tools and their outputs become part of the assistant's turn.

    Outputs that name their call (`tool_call_id`) may come in any order. Their text is JSON, or becomes a JSON string.

    Raises:
        ChatError: a message is empty, of an unknown role or in a wrong place; content is no text; one assistant
            message is a text and another one blocks.
    """
    system: str | None = None
    rest = list(messages)
    if rest and rest[0].get("role") in SYSTEM:
        system = content_text(rest[0], "message 1")
        rest = rest[1:]
    building = _Building(len(messages) - len(rest))
    for message in rest:
        building.add(message)
    return Conversation(building.turns(), system, Developer(deliberation, tools))


def content_text(message: Row, what: str) -> str:
    """The text of a message: content as a string, as an object with `text` or `parts`, or as a list of parts.

    Raises:
        ChatError: there is none, or a part is no text.
    """
    content = message.get("content")
    if isinstance(content, Mapping):
        content = content.get("parts") if content.get("text") is None else content["text"]
    if not isinstance(content, Sequence) or isinstance(content, str):
        return fields.text(content, f"the content of {what}")
    for part in fields.rows(content, f"the content of {what}"):
        if part.get("type") != "text":
            raise ChatError(f"{what} has content of the type {part.get('type')!r}: only text can be read")
        if not isinstance(part.get("text"), str):
            raise ChatError(f"{what} has a part without a text")
    return fields.text("".join(part["text"] for part in content), f"the content of {what}")


class _Building:
    """The turns so far."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._turns: list[Turn] = []
        self._blocks: list[Block] | None = None
        self._style = ""
        self._outputs: dict[str, str] = {}
        """Outputs of the calls that are under way: id of the call, or the place of the output -> output."""
        self._ids: list[str] = []
        self._known: frozenset[str] = frozenset()
        """The same, to look up."""

    def add(self, message: Row) -> None:
        self._before += 1
        what = f"message {self._before}"
        match message.get("role"):
            case "user":
                self._end()
                self._turns.append(UserTurn(content_text(message, what)))
            case "assistant":
                self._assistant(message, what)
            case "tool":
                self._tool(message, what)
            case role if role in SYSTEM:
                raise ChatError(f"{what} is of the role {role!r}, which only the first one can have")
            case role:
                raise ChatError(f"{what} is of the role {role!r}: it is none of system, user, assistant, tool")

    def turns(self) -> tuple[Turn, ...]:
        self._end()
        return tuple(self._turns)

    def _assistant(self, message: Row, what: str) -> None:
        content = message.get("content")
        style = "blocks" if isinstance(content, Mapping) and content.get("blocks") is not None else "text"
        if self._style not in ("", style):
            raise ChatError(f"{what}: one assistant message is a text and another one is blocks: take one style")
        self._style = style
        self._put_out()
        if self._blocks is None:
            self._blocks = []
        calls = message.get("tool_calls") or ()
        thoughts = message.get("reasoning_content")
        if style == "blocks" and isinstance(content, Mapping):
            if calls or thoughts:
                raise ChatError(f"{what} has blocks, and beside them {'tool_calls' if calls else 'reasoning_content'}")
            self._blocks += [_block(one, what) for one in fields.rows(content["blocks"], f"the blocks of {what}")]
            return
        if thoughts:
            self._blocks.append(Thoughts(fields.text(thoughts, f"reasoning_content of {what}")))
        if content or not (calls or thoughts):
            self._blocks.append(Response(content_text(message, what)))
        if calls:
            listed = fields.rows(calls, f"tool_calls of {what}")
            self._blocks.append(ToolCalls(tuple(_call(one, what) for one in listed)))
            self._ids = [str(one.get("id") or place) for place, one in enumerate(listed)]
            self._known = frozenset(self._ids)
            if len(self._known) < len(self._ids):
                raise ChatError(f"{what} has two calls of the same id: whose an output is can't be told")

    def _tool(self, message: Row, what: str) -> None:
        last = self._blocks[-1] if self._blocks else None
        if not isinstance(last, ToolCalls) or self._style == "blocks" or len(self._outputs) == len(last.calls):
            raise ChatError(f"{what} is a tool's output without a call before it")
        name = str(message.get("tool_call_id") or self._ids[len(self._outputs)])
        if name not in self._known or name in self._outputs:
            raise ChatError(f"{what} answers the call {name!r}, which is none of those before it, or has its answer")
        content = message.get("content")
        self._outputs[name] = fields.output(content if isinstance(content, str) else content_text(message, what))

    def _put_out(self) -> None:
        if self._outputs and self._blocks is not None:
            # Too few are found out by the turn.
            self._blocks.append(ToolOutputs(tuple(self._outputs[one] for one in self._ids if one in self._outputs)))
            self._outputs = {}

    def _end(self) -> None:
        self._put_out()
        if self._blocks is not None:
            self._turns.append(AssistantTurn(tuple(self._blocks)))
            self._blocks = None


def _block(block: Row, what: str) -> Block:
    match block.get("type"):
        case "thoughts":
            return Thoughts(fields.text(block.get("text"), f"thoughts of {what}"))
        case "response":
            return Response(fields.text(block.get("text"), f"the response of {what}"))
        case "tool_calls":
            return ToolCalls(tuple(_call(one, what) for one in fields.rows(block.get("calls"), f"calls of {what}")))
        case "tool_outputs":
            return ToolOutputs(tuple(_outputs(block.get("outputs"), f"outputs of {what}")))
        case kind:
            raise ChatError(f"{what} has a block of the type {kind!r}")


def _outputs(given: object, what: str) -> Iterator[str]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ChatError(f"{what} are no list but {type(given).__name__}")
    for one in given:
        value = one.get("output") if isinstance(one, Mapping) else one
        if not isinstance(value, str):
            raise ChatError(f"{what}: one is no text but {type(value).__name__}")
        yield fields.output(value)


def _call(call: Row, what: str) -> ToolCall:
    said = call.get("function") or call
    if not isinstance(said, Mapping) or not isinstance(said.get("name"), str):
        raise ChatError(f"{what} calls a tool without a name")
    return ToolCall(said["name"], fields.arguments(said.get("arguments")))
