"""The body of a chat-completions request: what is taken, and what is refused with its name.

Source: OpenAI's API reference, "Create chat completion". A field that would change the answer and is not known here is
refused: an answer to half of a request is none.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lauter.chat.conversation import ChatError, Conversation
from lauter.chat.formats.messages import of_messages
from lauter.chat.tools import declared
from lauter.trainer.serve.error import RequestError

MOST_CHOICES = 8
MOST_STOPS = 16
MOST_LIKELY = 20
"""Of `n`, `stop` and `top_logprobs`; the last as in OpenAI's reference, which has 128 and 4 for the others."""

Text = Annotated[str, Field(max_length=1000)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StreamOptions(_Given):
    """What a stream tells beside the answer."""

    include_usage: bool = False
    include_obfuscation: bool | None = None
    """Without effect: chunks are not padded."""


class TextFormat(_Given):
    """The only form of a response: text."""

    type: Literal["text"]


class TemplateArguments(_Given):
    """What vLLM and others hand on to the chat template."""

    enable_thinking: bool = False


class ChatRequest(_Given):
    """A request, checked. Fields below `ignored` change nothing in an answer and are taken without effect."""

    model: Text
    messages: list[dict[str, Any]] = Field(min_length=1)
    tools: list[dict[str, Any]] = []
    tool_choice: Literal["auto", "none"] = "auto"
    chat_template_kwargs: TemplateArguments = TemplateArguments()
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = None
    stop: tuple[Text, ...] = Field((), max_length=MOST_STOPS)
    n: int = Field(1, ge=1, le=MOST_CHOICES)
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=MOST_LIKELY)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    response_format: TextFormat | None = None
    frequency_penalty: Literal[0] = 0
    presence_penalty: Literal[0] = 0
    # ignored
    user: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    parallel_tool_calls: Any = None

    @model_validator(mode="before")
    @classmethod
    def _as_said(cls, values: object) -> object:
        # A null stands for a field that was left out; one stop may be given without a list.
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        if isinstance(given.get("stop"), str):
            given["stop"] = [given["stop"]]
        return given

    @property
    def most_tokens(self) -> int | None:
        """The most tokens of an answer, by either of the names."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def conversation(self) -> Conversation:
        """What is asked.

        Raises:
            RequestError: messages or tools make no conversation.
        """
        try:
            tools = tuple(declared(tool) for tool in self.tools) if self.tool_choice != "none" else ()
        except ChatError as error:
            raise RequestError(400, str(error), param="tools") from error
        try:
            return of_messages(self.messages, tools=tools, deliberation=self.chat_template_kwargs.enable_thinking)
        except ChatError as error:
            raise RequestError(400, str(error), param="messages") from error


def chat_request(body: bytes) -> ChatRequest:
    """Read a body.

    Raises:
        RequestError: it is no JSON, or a field is missing, unknown, or out of range.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise RequestError(400, "the body is no JSON object")
    try:
        return ChatRequest.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, fault["loc"]))
        told = "it is not supported here" if fault["type"] == "extra_forbidden" else fault["msg"]
        raise RequestError(400, f"{name}: {told}", param=name) from error
