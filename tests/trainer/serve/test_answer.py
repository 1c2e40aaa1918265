"""Tokens of an answer, sorted into what they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.chat.conversation import (
    AssistantTurn,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
)
from lauter.chat.encode import encode
from lauter.chat.pieces import answer_pieces
from lauter.trainer.serve.answer import Answer, OutputFilter, Said
from tests.trainer.serve.small_talker import TOKENIZER

CALL = ToolCalls((ToolCall("warm", '{"where": "漢字"}'),))


def _ids(turn: AssistantTurn) -> list[int]:
    return encode(answer_pieces(turn, closed=True), TOKENIZER.plain, TOKENIZER.chat, bos=None).ids


def _read(ids: list[int], answer: Answer) -> tuple[list[Said], Said]:
    found = []
    for token in ids:
        if answer.end is not None:
            break
        found.append(answer.push(token))
    if answer.end is None:
        found.append(answer.finish())
    return found, Said(
        "".join(one.response for one in found),
        "".join(one.thoughts for one in found),
        tuple(call for one in found for call in one.calls),
    )


@settings(max_examples=40)
@given(st.text(min_size=1), st.text(min_size=1), st.booleans())
def test_what_was_said_comes_out(thoughts: str, response: str, calls: bool) -> None:  # noqa: FBT001
    turn = AssistantTurn((Thoughts(thoughts), Response(response), *([CALL] if calls else [])))
    answer = Answer(TOKENIZER, (), None)
    _, said = _read(_ids(turn), answer)
    assert said == Said(response, thoughts, CALL.calls if calls else ())
    assert answer.end == ("tool_calls" if calls else "stop")


def test_a_text_comes_as_soon_as_its_characters_are_whole() -> None:
    pieces, said = _read(_ids(AssistantTurn((Response("é漢."),))), Answer(TOKENIZER, (), None))
    assert said.response == "é漢."
    assert [one.response for one in pieces] == ["é", "", "漢", ".", ""]


def test_a_stop_ends_it_and_is_not_told() -> None:
    answer = Answer(TOKENIZER, ("END",), None)
    _, said = _read(_ids(AssistantTurn((Thoughts("END of"), Response("It is EN END or")))), answer)
    assert said == Said("It is EN ", "END of")
    assert answer.end == "stop"


def test_what_is_no_call_is_told_as_text() -> None:
    chat = TOKENIZER.chat
    ids = [chat["<|tools_prefix|>"], *TOKENIZER.plain("[warm()]"), chat["<|tools_suffix|>"]]
    answer = Answer(TOKENIZER, (), None)
    _, said = _read(ids, answer)
    assert (said, answer.end) == (Said("[warm()]"), "stop")


def test_a_control_token_within_a_call_is_no_text() -> None:
    chat = TOKENIZER.chat
    ids = [chat["<|tools_prefix|>"], *TOKENIZER.plain('[{"warm": '), chat["<|user_end|>"], *TOKENIZER.plain("{}}]")]
    _, said = _read([*ids, chat["<|tools_suffix|>"]], Answer(TOKENIZER, (), None))
    assert said.calls == (ToolCall("warm", "{}"),)


def test_an_answer_that_was_cut_gives_what_is_there() -> None:
    answer = Answer(TOKENIZER, ("END",), None)
    _, said = _read(_ids(AssistantTurn((Response("It is EN"),)))[:-1], answer)
    assert (said, answer.end) == (Said("It is EN"), None)


class _Shouting:
    """Holds back all but what is certain, a word at a time, and changes it."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        whole, space, rest = (self._held + data).rpartition(b" ")
        self._held = rest
        return (whole + space).upper()

    def finish(self) -> bytes:
        rest, self._held = self._held, b""
        return rest.upper()


@pytest.mark.parametrize("stops", [(), ("never",)])
def test_every_text_goes_through_its_filter(stops: tuple[str, ...]) -> None:
    new_filter: type[OutputFilter] = _Shouting
    call = ToolCalls((ToolCall("warm", '{"where": "in chur"}'),))
    turn = AssistantTurn((Thoughts("let me"), Response("look at"), call))
    answer = Answer(TOKENIZER, stops, new_filter)
    _, said = _read(_ids(turn), answer)
    assert said == Said("LOOK AT", "LET ME", (ToolCall("WARM", '{"WHERE": "IN CHUR"}'),))
