"""What is sent back: completions and chunks of them, in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lauter.chat.conversation import ToolCall
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.serve.answer import Said
from lauter.trainer.serve.batching import Spoken

Reason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands in every object of one answer."""

    id: str
    created: int
    """Seconds since 1970."""
    model: str

    def completion(self, choices: Sequence[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
        """The whole answer."""
        return {**self._told("chat.completion"), "choices": list(choices), "usage": usage}

    def chunk(self, choices: Sequence[dict[str, Any]], *, usage: dict[str, int] | None = None) -> dict[str, Any]:
        """A piece of a stream."""
        told = {"usage": usage} if usage is not None else {}
        return {**self._told("chat.completion.chunk"), "choices": list(choices), **told}

    def _told(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def usage(prompt: int, said: int) -> dict[str, int]:
    """Counts of tokens: control tokens that the model says are counted too."""
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


def choice(
    index: int, said: Said, reason: Reason, answer_id: str, logprobs: Sequence[dict[str, Any]] | None
) -> dict[str, Any]:
    """One of the answers, whole."""
    message: dict[str, Any] = {"role": "assistant", "content": said.response or None, "refusal": None}
    if not said.calls and not said.thoughts:
        message["content"] = said.response
    if said.thoughts:
        message["reasoning_content"] = said.thoughts
    if said.calls:
        message["tool_calls"] = _calls(said.calls, answer_id, index)
    told = None if logprobs is None else {"content": list(logprobs), "refusal": None}
    return {"index": index, "message": message, "finish_reason": reason, "logprobs": told}


def delta(
    index: int, said: Said, answer_id: str, logprobs: Sequence[dict[str, Any]] | None, *, reason: Reason | None = None
) -> dict[str, Any]:
    """A piece of one of the answers."""
    told: dict[str, Any] = {}
    if said.response:
        told["content"] = said.response
    if said.thoughts:
        told["reasoning_content"] = said.thoughts
    if said.calls:
        told["tool_calls"] = [
            {"index": place, **call} for place, call in enumerate(_calls(said.calls, answer_id, index))
        ]
    shown = None if logprobs is None else {"content": list(logprobs), "refusal": None}
    return {"index": index, "delta": told, "finish_reason": reason, "logprobs": shown}


def opening(index: int) -> dict[str, Any]:
    """The first piece of an answer: who speaks."""
    return {"index": index, "delta": {"role": "assistant", "content": ""}, "finish_reason": None, "logprobs": None}


def token_logprob(tokenizer: TextTokenizer, spoken: Spoken) -> dict[str, Any]:
    """How likely a token was, and the likeliest beside it."""
    if spoken.logprob is None:
        raise ValueError("the speaker was not asked for likelihoods")
    first = _likely(tokenizer, spoken.token, spoken.logprob)
    return {**first, "top_logprobs": [_likely(tokenizer, *one) for one in spoken.likeliest]}


def event(value: object) -> bytes:
    """A server-sent event (WHATWG HTML, section 9.2) with JSON."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
"""The last event of a stream."""


def _calls(calls: Sequence[ToolCall], answer_id: str, index: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{answer_id}_{index}_{place}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for place, call in enumerate(calls)
    ]


def _likely(tokenizer: TextTokenizer, token: int, logprob: float) -> dict[str, Any]:
    data = (tokenizer.pieces or {}).get(token)
    text = tokenizer.decode([token]) if data is None else data.decode("utf-8", "replace")
    return {"token": text, "bytes": list(text.encode() if data is None else data), "logprob": logprob}
