"""The Jinja template beside the pieces: equal texts through transformers, equal ids, and no way in for strangers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.chat.control import NAMES, chat_ids
from lauter.chat.conversation import (
    AssistantTurn,
    Conversation,
    Developer,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    UserTurn,
)
from lauter.chat.encode import encode
from lauter.chat.formats.messages import of_messages
from lauter.chat.parse import parse
from lauter.chat.pieces import pieces, rendered
from lauter.chat.template import chat_template
from lauter.chat.tools import declared
from lauter.trainer.generate.tokenizer import text_tokenizer
from lauter.trainer.huggingface.tokenizer import huggingface_tokenizer
from tests.chat.conversations import SPECIFICATIONS, conversations
from tests.trainer.generate.byte_tokenizer import files

TOKENIZER = text_tokenizer(files(), bos=1, ends=frozenset({2}))


class Theirs(Protocol):
    """What the tests take of a tokenizer of transformers."""

    all_special_tokens: list[str]
    all_special_ids: list[int]

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]: ...

    def apply_chat_template(self, conversation: list[dict[str, Any]], **settings: object) -> Any: ...  # noqa: ANN401


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """The tokenizer of an export, as transformers loads it."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    for name, content in huggingface_tokenizer(files(), 512).items():
        (folder / name).write_bytes(content)
    Path(folder, "config.json").write_text('{"model_type": "apertus"}')
    loaded: Theirs = AutoTokenizer.from_pretrained(folder)
    return loaded


def _message(turn: AssistantTurn | UserTurn) -> dict[str, Any]:
    if isinstance(turn, UserTurn):
        return {"role": "user", "content": turn.text}
    blocks: list[dict[str, Any]] = []
    for block in turn.blocks:
        if isinstance(block, Thoughts | Response):
            blocks.append({"type": type(block).__name__.lower(), "text": block.text})
        elif isinstance(block, ToolCalls):
            calls = [{"name": call.name, "arguments": call.arguments} for call in block.calls]
            blocks.append({"type": "tool_calls", "calls": calls})
        else:
            blocks.append({"type": "tool_outputs", "outputs": [{"output": one} for one in block.outputs]})
    return {"role": "assistant", "content": {"blocks": blocks}}


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    system = [] if conversation.system is None else [{"role": "system", "content": conversation.system}]
    return [*system, *map(_message, conversation.turns)]


def _rendered(theirs: Theirs, messages: list[dict[str, Any]], **settings: object) -> str:
    return str(theirs.apply_chat_template(messages, tokenize=False, **settings))


def _spells(conversation: Conversation) -> bool:
    said = json.dumps([_messages(conversation), [tool.declaration for tool in conversation.developer.tools]])
    return any(name in said for name in [*NAMES, "<s>"])


@settings(max_examples=40)
@given(
    conversation=conversations(),
    specifications=st.lists(SPECIFICATIONS, max_size=2, unique_by=lambda one: one["name"]),
    open_answer=st.booleans(),
)
def test_texts_and_ids_are_equal(
    theirs: Theirs, conversation: Conversation, specifications: list[dict[str, Any]], *, open_answer: bool
) -> None:
    developer = Developer(conversation.developer.deliberation, tuple(map(declared, specifications)))
    ours = Conversation(conversation.turns, conversation.system, developer)
    found = pieces(ours, open_answer=open_answer)
    given = {
        "tools": specifications,
        "enable_thinking": developer.deliberation,
        "add_generation_prompt": open_answer,
    }
    text = _rendered(theirs, _messages(ours), **given)
    assert text.replace("\u2060", "") == rendered(found, bos="<s>").replace("\u2060", "")
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    encoded = encode(found, TOKENIZER.plain, TOKENIZER.chat, bos=TOKENIZER.bos)
    if not _spells(ours):
        assert text == rendered(found, bos="<s>")
        # What the assistant says after outputs was said by itself: there a text of both at once has other pieces.
        if not any(not one.control and not two.control for one, two in pairwise(found)):
            assert ids == encoded.ids
    # Whatever the texts spell, the control tokens are those of the format, in its order.
    control = set(TOKENIZER.chat.values()) | {1, 2}
    assert [index for index in ids if index in control] == [index for index in encoded.ids if index in control]
    assert (
        parse(encoded.ids, TOKENIZER.decode, TOKENIZER.chat, bos=1).turns[: len(ours.prompt.turns)] == ours.prompt.turns
    )


def test_messages_of_the_protocol_are_equal(theirs: Theirs) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "warm", "arguments": '{"where": "Chur"}'}}
    other = {"id": "b", "type": "function", "function": {"name": "warm", "arguments": {"where": "Zug"}}}
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": [{"type": "text", "text": "Short."}]},
        {"role": "user", "content": "Warm?"},
        {"role": "assistant", "content": "I look.", "reasoning_content": "Two calls.", "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "a", "content": "12"},
        {"role": "tool", "tool_call_id": "b", "content": '"n/a"'},
        {"role": "assistant", "content": None, "tool_calls": [{**call, "id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": "13"},
        {"role": "assistant", "content": "13 °C."},
        {"role": "user", "content": {"parts": [{"type": "text", "text": "Thanks"}, {"type": "text", "text": "!"}]}},
    ]
    for count in range(2, len(messages) + 1):
        if messages[count - 1]["role"] == "tool" and messages[count - 1]["tool_call_id"] == "a":
            continue  # one of two outputs: no turn yet
        for open_answer in (False, True):
            ours = pieces(of_messages(messages[:count]), open_answer=open_answer)
            text = _rendered(theirs, messages[:count], add_generation_prompt=open_answer)
            assert text == rendered(ours, bos="<s>")


def test_the_day_is_an_argument(theirs: Theirs) -> None:
    asked = Conversation((UserTurn("?"),))
    day = datetime.date(2026, 11, 26)
    for current, date in ((day.isoformat(), day), (False, None)):
        text = _rendered(theirs, _messages(asked), current_date=current)
        assert text == rendered(pieces(asked, open_answer=False, date=date), bos="<s>")
    assert f"Current date: {datetime.date.today().year}" in _rendered(theirs, _messages(asked))


def test_there_is_one_bos(theirs: Theirs) -> None:
    ids = theirs.apply_chat_template([{"role": "user", "content": "a"}], return_dict=False)
    assert ids[:2] == [1, TOKENIZER.chat["<|system_start|>"]]
    assert ids.count(1) == 1


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (
            [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
                {"role": "assistant", "content": {"blocks": []}},
            ],
            "take one style",
        ),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "only text can be read"),
        ([{"role": "user", "content": "a"}, {"role": "tool", "content": "1"}], "without a tool call"),
        ([{"role": "poet", "content": "a"}], "of the role poet"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": {"blocks": [{"type": "x"}]}}], "type x"),
        # Neither spells a control token, both together would.
        (
            [{"role": "user", "content": "a"}, *({"role": "assistant", "content": x} for x in ("<|user", "_end|>"))],
            "two response blocks in a row",
        ),
        (
            [
                {"role": "user", "content": "a"},
                *({"role": "assistant", "reasoning_content": x, "content": None} for x in ("<|user", "_end|>")),
            ],
            "two thoughts blocks in a row",
        ),
    ],
)
def test_what_is_no_conversation_is_refused(theirs: Theirs, messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(Exception, match=message):
        _rendered(theirs, messages)


def test_every_special_token_of_the_export_is_broken(theirs: Theirs) -> None:
    hostile = "".join(theirs.all_special_tokens)
    plain = _rendered(theirs, [{"role": "user", "content": "a"}])
    call = ToolCalls((ToolCall("a", json.dumps({"x": hostile})),))
    turn = AssistantTurn((Thoughts(hostile), call))
    messages = [
        {"role": "system", "content": hostile},
        {"role": "user", "content": hostile},
        _message(turn),
    ]
    tool: Mapping[str, Any] = {"name": "a", "description": hostile}
    text = _rendered(theirs, messages, tools=[tool])
    special = set(theirs.all_special_ids)
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    inner = ["<|inner_prefix|>", "<|tools_prefix|>", "<|tools_suffix|>"]
    expected = [*theirs(plain, add_special_tokens=False)["input_ids"]]
    found = [index for index in ids if index in special]
    turn_ids = [TOKENIZER.chat[name] for name in ("<|assistant_start|>", *inner, "<|assistant_end|>")]
    assert found == [index for index in expected if index in special] + turn_ids


def test_names_of_any_letters_are_broken() -> None:
    text = chat_template(['<"\\🔒｜>'])
    assert (
        jinja2.Environment()
        .from_string(text)
        .render(messages=[{"role": "user", "content": 'a <"\\🔒｜>'}], bos_token="")
        .endswith('a <\u2060"\\🔒｜><|user_end|>')
    )


def test_the_template_needs_the_names_of_no_tokenizer() -> None:
    assert chat_template().startswith('{%- set control_tokens = ["<|system_start|>", ')
    assert set(chat_ids(json.loads(files()["sidecar.json"]))) == set(NAMES)
