"""Bodies that are taken, and those that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lauter.trainer.serve.error import RequestError
from lauter.trainer.serve.request import chat_request

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Warm?"}]}


def _request(**more: object) -> bytes:
    return json.dumps({**ASKED, **more}).encode()


def test_nulls_are_left_out_and_one_stop_needs_no_list() -> None:
    found = chat_request(_request(stop="a", max_tokens=None, tools=None, user="x", n=2, max_completion_tokens=3))
    assert (found.stop, found.most_tokens, found.n, found.temperature) == (("a",), 3, 2, 1.0)


def test_tools_are_shown_unless_none_are_wanted() -> None:
    tools = [{"type": "function", "function": {"name": "warm"}}]
    shown = chat_request(_request(tools=tools, chat_template_kwargs={"enable_thinking": True})).conversation()
    assert [tool.name for tool in shown.developer.tools] == ["warm"]
    assert shown.developer.deliberation
    assert chat_request(_request(tools=tools, tool_choice="none")).conversation().developer.tools == ()


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b"{", None, "no JSON"),
        (b"[]", None, "no JSON object"),
        pytest.param(b"[" * 100_000, None, "no JSON", id="deep"),
        (b'{"messages": []}', "model", "Field required"),
        (_request(messages=[]), "messages", "at least 1"),
        (_request(n=9), "n", "less than or equal to 8"),
        (_request(temperature=-1), "temperature", "greater than"),
        (_request(top_p=0), "top_p", "greater than 0"),
        (_request(logit_bias={"1": 5}), "logit_bias", "not supported here"),
        (_request(response_format={"type": "json_object"}), "response_format.type", "'text'"),
        (_request(tool_choice="required"), "tool_choice", "'auto' or 'none'"),
        (_request(frequency_penalty=1), "frequency_penalty", "Input should be 0"),
    ],
)
def test_refused(body: bytes, param: str | None, message: str) -> None:
    with pytest.raises(RequestError, match=message) as error:
        chat_request(body)
    assert error.value.status == 400
    assert error.value.to_json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("more", "param"),
    [({"messages": [{"role": "poet", "content": "a"}]}, "messages"), ({"tools": [{"name": "a b"}]}, "tools")],
)
def test_what_is_no_conversation(more: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as error:
        chat_request(_request(**more)).conversation()
    assert (error.value.status, error.value.param) == (400, param)
