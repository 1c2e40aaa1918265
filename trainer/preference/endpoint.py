"""Requests to a server that speaks OpenAI's chat completions: some at a time, each tried again where it may help."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lauter.chat.control import default_system
from lauter.chat.conversation import ChatError, Conversation, UserTurn
from lauter.trainer.config.preference import EndpointSection, ReferencesSection
from lauter.trainer.preference.encoding import Speech, said_turn
from lauter.trainer.preference.sampling import Answer, Completion

FIRST_WAIT = 0.5
"""Seconds before the second try; each later wait is twice as long."""
BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""States of HTTP (RFC 9110, section 15) under which the same request may do later."""


class EndpointError(Exception):
    """A server gave no answer that can be used; the message says which server, and what it said."""


class Endpoint:
    """One server."""

    def __init__(self, section: EndpointSection, wait: Callable[[float], None] = time.sleep) -> None:
        """Raises `EndpointError` where the variable that is to hold the key is not set."""
        self._section, self._wait = section, wait
        self._headers = {"Content-Type": "application/json"}
        if section.key_variable is not None:
            key = os.environ.get(section.key_variable)
            if not key:
                raise EndpointError(f"{section.url}: the variable {section.key_variable}, for its key, is not set")
            self._headers["Authorization"] = f"Bearer {key}"

    def complete_all(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answers in the order of the requests, which are bodies without `model`. Raises `EndpointError`."""
        with ThreadPoolExecutor(self._section.concurrency) as threads:
            futures = [threads.submit(self._complete, request) for request in requests]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        url = f"{self._section.url.rstrip('/')}/chat/completions"
        body = json.dumps({"model": self._section.model, **request}).encode()
        said = ""
        for attempt in range(self._section.tries):
            if attempt:
                self._wait(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                sent = urllib.request.Request(url, body, self._headers)
                with urllib.request.urlopen(sent, timeout=self._section.timeout_seconds) as answer:
                    found = json.load(answer)
                if _has_choice(found):
                    return found  # type: ignore[no-any-return]
                said = "an answer without choices"
            except urllib.error.HTTPError as error:
                said = f"{error.code} {error.read(500).decode('utf-8', 'replace')}"
                if error.code not in BUSY:
                    raise EndpointError(f"{url} refused a request: {said}") from error
            except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
                said = f"{type(error).__name__}: {error}"
        raise EndpointError(f"{url} gave no answer in {self._section.tries} tries; the last one: {said}")


def _has_choice(found: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether an answer has what all readers here look into: a first choice, whose message is an object if any."""
    choices = found.get("choices") if isinstance(found, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("message") or {}, dict)


def messages(conversation: Conversation) -> list[dict[str, str]]:
    """A conversation of texts as the protocol's messages; the system text is always said.

    Raises:
        ChatError: it has tools or deliberation, which each server renders in a way of its own.
    """
    if conversation.developer.tools or conversation.developer.deliberation:
        raise ChatError("a conversation with tools or deliberation can't be sent to an endpoint; sample it here")
    system = default_system(None) if conversation.system is None else conversation.system
    found = [{"role": "system", "content": system}]
    for turn in conversation.turns:
        if isinstance(turn, UserTurn):
            found.append({"role": "user", "content": turn.text})
            continue
        if turn != said_turn(plain := "".join(getattr(block, "text", "") for block in turn.blocks)):
            raise ChatError("an assistant's turn with thoughts or tools can't be sent to an endpoint; sample it here")
        found.append({"role": "assistant", "content": plain})
    return found


def by_endpoint(endpoint: Endpoint, speech: Speech, section: ReferencesSection, seed: int) -> Answer:
    """Draw at a server, one request a completion. Their texts are encoded here: ids may differ from those drawn."""

    def answer(conversations: Sequence[Conversation]) -> list[list[Completion]]:
        requests = [
            {
                "messages": messages(one),
                "max_tokens": section.new_tokens,
                "temperature": section.temperature,
                "top_p": section.top_p,
                "seed": seed + number,
            }
            for one in conversations
            for number in range(section.completions)
        ]
        found = [_completion(said, speech) for said in endpoint.complete_all(requests)]
        return [found[at : at + section.completions] for at in range(0, len(found), section.completions)]

    return answer


def _completion(said: Mapping[str, Any], speech: Speech) -> Completion:
    choice = said["choices"][0]
    text, whole = str((choice.get("message") or {}).get("content") or ""), choice.get("finish_reason") == "stop"
    ids = speech.answer(said_turn(text))
    return Completion(ids if whole else ids[:-1], text, whole)
