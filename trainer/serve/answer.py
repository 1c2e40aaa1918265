"""What a model says, sorted while it comes: thoughts, response, calls of tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from lauter.chat import control
from lauter.chat.conversation import ChatError, ToolCall
from lauter.chat.parse import tool_calls
from lauter.trainer.generate.decode import Continuation
from lauter.trainer.generate.tokenizer import TextTokenizer


class OutputFilter(Protocol):
    """What may take out stretches of a text that goes through it (`lauter filter-output`)."""

    def feed(self, data: bytes) -> bytes:
        """UTF-8 that is certain after some more."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What has become certain."""

    response: str = ""
    thoughts: str = ""
    calls: tuple[ToolCall, ...] = ()


End = Literal["stop", "tool_calls"]


class Answer:
    """One answer of the assistant, token by token.

    Each kind of text goes through a filter of its own, where there is one; calls do too, before they are read. What is
    no call, though it stands where one is due, is told as response. `thinking`: it goes on in thoughts
    (`pieces.thinks_on`).
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        stops: tuple[str, ...],
        new_filter: Callable[[], OutputFilter] | None,
        *,
        thinking: bool = False,
    ) -> None:
        self.end: End | None = None
        """Why it ended; None while it goes on."""
        self.tokens: list[int] = []
        self._tokenizer = tokenizer
        self._names = {index: name for name, index in tokenizer.chat.items()}
        self._new_filter = new_filter
        self._response = _Section(tokenizer, stops, new_filter)
        self._thoughts = _Section(tokenizer, (), new_filter)
        self._thinking = thinking
        self._call: list[int] | None = None

    def push(self, token: int) -> Said:
        """What is certain with this token."""
        self.tokens.append(token)
        match self._names.get(token):
            case control.INNER_PREFIX:
                self._thinking = True
            case control.INNER_SUFFIX:
                self._thinking = False
            case control.TOOLS_PREFIX:
                self._call = []
            case control.TOOLS_SUFFIX:
                return self._called()
            case _ if token in self._tokenizer.ends:
                self.end = "stop"
                return self.finish()
            case _ if self._call is not None:
                self._call.append(token)
            case _ if self._thinking:
                return Said(thoughts=self._thoughts.push(token))
            case _:
                response = self._response.push(token)
                if self._response.stopped:
                    self.end = "stop"
                    rest = self.finish()
                    return Said(response + rest.response, rest.thoughts)
                return Said(response)
        return Said()

    def finish(self) -> Said:
        """The texts that still waited, after the last token. A call that was cut is lost."""
        return Said(self._response.finish(), self._thoughts.finish())

    def _called(self) -> Said:
        text = self._tokenizer.seen(self._call or [])
        if self._new_filter is not None:
            one = self._new_filter()
            text = (one.feed(text.encode()) + one.finish()).decode()
        rest = self.finish()
        try:
            calls = tool_calls(text).calls
        except ChatError:
            self.end = "stop"
            return Said(rest.response + text, rest.thoughts)
        self.end = "tool_calls"
        return Said(rest.response, rest.thoughts, calls)


class _Section:
    """Text of one kind: its stops, then its filter."""

    def __init__(
        self, tokenizer: TextTokenizer, stops: tuple[str, ...], new_filter: Callable[[], OutputFilter] | None
    ) -> None:
        self._text = Continuation(tokenizer, stops)
        self._filter = None if new_filter is None else new_filter()

    @property
    def stopped(self) -> bool:
        return self._text.stopped

    def push(self, token: int) -> str:
        text = self._text.push(token)
        return text if self._filter is None else self._filter.feed(text.encode()).decode()

    def finish(self) -> str:
        text = self._text.finish()
        return text if self._filter is None else (self._filter.feed(text.encode()) + self._filter.finish()).decode()
