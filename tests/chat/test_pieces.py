"""The chat format, written out."""

from __future__ import annotations

import datetime

from hypothesis import given, settings

from lauter.chat.control import ASSISTANT_END, ASSISTANT_START
from lauter.chat.conversation import (
    DISPLAY_ANSWERS,
    AssistantTurn,
    Conversation,
    Developer,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)
from lauter.chat.pieces import Piece, answer_pieces, pieces, rendered
from lauter.chat.tools import declared
from tests.chat.conversations import assistant_turns, conversations

HEAD = (
    "<s><|system_start|>You are Apertus, a helpful assistant created by the SwissAI initiative.\n"
    "Knowledge cutoff: 2024-04\nCurrent date: 2026-11-26<|system_end|>"
    "<|developer_start|>Deliberation: disabled\nTool Capabilities: disabled<|developer_end|>"
)


def test_a_question_and_its_answer() -> None:
    conversation = Conversation((UserTurn("Grüezi"), AssistantTurn((Response("Hoi"),)), UserTurn("Was?")))
    day = datetime.date(2026, 11, 26)
    text = rendered(pieces(conversation, open_answer=True, date=day), bos="<s>")
    assert text == (
        f"{HEAD}<|user_start|>Grüezi<|user_end|><|assistant_start|>Hoi<|assistant_end|>"
        "<|user_start|>Was?<|user_end|><|assistant_start|>"
    )


def test_thoughts_calls_and_outputs_stand_in_one_turn() -> None:
    calls = ToolCalls((ToolCall("warm", '{"where": "Chur"}'), ToolCall("warm", '{"where": "Zug"}')))
    turn = AssistantTurn((Thoughts("Two."), calls, ToolOutputs(("12", '"n/a"')), Thoughts("So."), Response("12 °C.")))
    developer = Developer(deliberation=True, tools=(declared({"name": "warm"}),))
    found = pieces(Conversation((UserTurn("?"), turn), "Short.", developer), open_answer=False)
    assert rendered(found) == (
        "<|system_start|>Short.<|system_end|><|developer_start|>Deliberation: enabled\nTool Capabilities:\n"
        "type warm = () => any;<|developer_end|><|user_start|>?<|user_end|><|assistant_start|><|inner_prefix|>Two."
        '<|tools_prefix|>[{"warm": {"where": "Chur"}}, {"warm": {"where": "Zug"}}]<|tools_suffix|>[12, "n/a"]So.'
        "<|inner_suffix|>12 °C.<|assistant_end|>"
    )
    untrained = [piece.text for piece in found[found.index(Piece(ASSISTANT_START, True, False)) :] if not piece.trained]
    assert untrained == [ASSISTANT_START, '[12, "n/a"]']
    assert not any(piece.trained for piece in found[: found.index(Piece(ASSISTANT_START, True, False))])


def test_the_answer_for_a_program_stands_outside_of_the_thoughts() -> None:
    turn = AssistantTurn((Thoughts("Hm."), ToolCalls((ToolCall(DISPLAY_ANSWERS, '{"answers": ["b"]}'),))))
    assert rendered(answer_pieces(turn, closed=True)) == (
        '<|inner_prefix|>Hm.<|inner_suffix|><|tools_prefix|>[{"display_answers": {"answers": ["b"]}}]<|tools_suffix|>'
        "<|assistant_end|>"
    )


@settings(max_examples=25)
@given(conversations(), assistant_turns())
def test_the_prompts_pieces_and_the_answers_are_those_of_the_whole(prompt: Conversation, turn: AssistantTurn) -> None:
    asked = Conversation((*prompt.turns, UserTurn("?")), prompt.system, prompt.developer)
    whole = Conversation((*asked.turns, turn), prompt.system, prompt.developer)
    assert pieces(whole, open_answer=False) == [
        *pieces(asked, open_answer=True),
        *answer_pieces(turn, closed=True),
    ]


@settings(max_examples=25)
@given(conversations())
def test_a_closed_answer_ends_and_an_open_one_goes_on(conversation: Conversation) -> None:
    closed, opened = (pieces(conversation, open_answer=open_answer) for open_answer in (False, True))
    if conversation.answered:
        assert closed[-1] == Piece(ASSISTANT_END, control=True, trained=True)
        assert closed[: len(opened)] == opened
    else:
        assert opened == [*closed, Piece(ASSISTANT_START, control=True, trained=False)]
