"""Requests to a server that is really there: order, concurrency, tries, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lauter.chat.conversation import (
    AssistantTurn,
    ChatError,
    Conversation,
    Developer,
    Response,
    Thoughts,
    UserTurn,
)
from lauter.trainer.config.preference import EndpointSection, ReferencesSection
from lauter.trainer.preference.encoding import Speech
from lauter.trainer.preference.endpoint import Endpoint, EndpointError, by_endpoint, messages
from tests.trainer.generate.byte_tokenizer import byte_tokenizer
from tests.trainer.preference.server import choice, serving

ASKED = Conversation((UserTurn("hi"),), "s")


def section(url: str, **changes: Any) -> EndpointSection:  # noqa: ANN401 - plain values
    return EndpointSection(url=url, model="small", **changes)


def test_answers_come_in_the_order_of_the_requests_and_a_busy_server_is_asked_again() -> None:
    lock = threading.Lock()
    seen: dict[int, int] = {}
    waits: list[float] = []

    def answer(body: dict[str, Any], _: dict[str, str]) -> tuple[int, Any]:
        with lock:
            seen[body["n"]] = seen.get(body["n"], 0) + 1
            first = seen[body["n"]] == 1
        if body["n"] % 3 == 0 and first:
            return (503, {"error": "busy"}) if body["n"] else (200, b"no JSON")
        return 200, choice(f"{body['model']} {body['n']}")

    with serving(answer) as url:
        found = Endpoint(section(url, concurrency=4), waits.append).complete_all([{"n": n} for n in range(9)])
    assert [one["choices"][0]["message"]["content"] for one in found] == [f"small {n}" for n in range(9)]
    assert seen == {n: 2 if n % 3 == 0 else 1 for n in range(9)}
    assert waits == [0.5] * 3


def test_what_the_server_refuses_is_told_at_once() -> None:
    asked: list[int] = []

    def answer(_body: dict[str, Any], _headers: dict[str, str]) -> tuple[int, Any]:
        asked.append(1)
        return 400, {"error": "no such model"}

    with serving(answer) as url, pytest.raises(EndpointError, match=r"refused a request: 400 .*no such model"):
        Endpoint(section(url)).complete_all([{}])
    assert len(asked) == 1


@pytest.mark.parametrize("said", [{"choices": []}, {"choices": ["yes"]}, {"choices": [{"message": "yes"}]}, [], 1])
def test_what_is_no_answer_is_asked_for_again_and_told(said: object) -> None:
    with (
        serving(lambda *_: (200, said)) as url,
        pytest.raises(EndpointError, match="in 2 tries; the last one: an answer without choices"),
    ):
        Endpoint(section(url, tries=2), lambda _: None).complete_all([{}])


def test_a_server_that_is_not_there_is_given_up_after_some_tries() -> None:
    with serving(lambda *_: (200, {})) as url:
        pass
    waits: list[float] = []
    with pytest.raises(EndpointError, match=r"gave no answer in 4 tries; the last one: .*refused"):
        Endpoint(section(url, tries=4), waits.append).complete_all([{}])
    assert waits == [0.5, 1.0, 2.0]


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []

    def answer(_body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        keys.append(headers.get("Authorization", ""))
        return 200, choice("yes")

    with serving(answer) as url:
        monkeypatch.delenv("SOME_KEY", raising=False)
        with pytest.raises(EndpointError, match="SOME_KEY"):
            Endpoint(section(url, key_variable="SOME_KEY"))
        monkeypatch.setenv("SOME_KEY", "secret")
        Endpoint(section(url, key_variable="SOME_KEY")).complete_all([{}])
        Endpoint(section(url)).complete_all([{}])
    assert keys == ["Bearer secret", ""]


def test_references_from_a_server() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(body: dict[str, Any], _: dict[str, str]) -> tuple[int, Any]:
        bodies.append(body)
        return 200, choice(f"no. {body['seed']}", end="stop" if body["seed"] % 2 else "length")

    speech = Speech(byte_tokenizer())
    wanted = ReferencesSection(completions=3, new_tokens=9, temperature=1.0, top_p=1.0)
    other = Conversation((UserTurn("a"), AssistantTurn((Response("b"),)), UserTurn("c")), "s")
    with serving(answer) as url:
        found = by_endpoint(Endpoint(section(url)), speech, wanted, 40)([ASKED, other])
    assert [[one.text for one in some] for some in found] == [["no. 40", "no. 41", "no. 42"]] * 2
    assert [one.whole for one in found[0]] == [False, True, False]
    assert speech.text(found[0][0].ids) == "no. 40"
    # The end was said only by those that are whole.
    assert [one.ids[-1] in speech.ends for one in found[0]] == [False, True, False]
    last = next(body for body in bodies if len(body["messages"]) == 4)
    assert [one["role"] for one in last["messages"]] == ["system", "user", "assistant", "user"]
    assert (last["max_tokens"], last["temperature"], last["top_p"]) == (9, 1.0, 1.0)


def test_what_a_server_would_render_in_its_own_way_is_refused() -> None:
    with pytest.raises(ChatError, match="deliberation can't be sent"):
        messages(Conversation((UserTurn("a"),), None, Developer(deliberation=True)))
    thinking = AssistantTurn((Thoughts("hm"), Response("b")))
    with pytest.raises(ChatError, match="thoughts or tools can't be sent"):
        messages(Conversation((UserTurn("a"), thinking, UserTurn("c"))))
    assert messages(Conversation((UserTurn("a"),)))[0]["content"].startswith("You are Apertus")
