"""Who says what, how long it is, and the limits of the stage `turns`."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings

from lauter.chat.conversation import (
    AssistantTurn,
    Conversation,
    Response,
    Thoughts,
    ToolCall,
    ToolCalls,
    ToolOutputs,
    UserTurn,
)
from lauter.pipeline import schema
from lauter.pipeline.contract import SoftStage, StageContext
from lauter.stages.normalise import Normalise, NormaliseConfig
from lauter.stages.read.dialogues.turns import marked
from lauter.stages.speakers import Speaker, stretches
from lauter.stages.turns import Turns, TurnsConfig
from tests.chat.conversations import conversations

ASKED = ToolCalls((ToolCall("clock", "{}"),))
TALK = Conversation(
    (
        UserTurn("Wie spät ist es?"),
        AssistantTurn((Thoughts("Ich frage."), ASKED, ToolOutputs(('"12:00"',)), Thoughts("Gut."), Response("Zwölf."))),
        UserTurn("Danke"),
        AssistantTurn((ASKED,)),
    ),
    "Sei knapp.",
)


def batch(*some: Conversation) -> pa.RecordBatch:
    rows = [marked(one) for one in some]
    marks = [[mark._asdict() for mark in row.marks] for row in rows]
    return pa.record_batch(
        {
            "text": pa.array([*(row.text for row in rows), "a page"], pa.large_string()),
            "marks": pa.array([*marks, None], schema.RECORD.field("marks").type),
        }
    )


@settings(max_examples=80, deadline=None)
@given(one=conversations())
def test_stretches_are_what_each_said(one: Conversation) -> None:
    row = marked(one)
    said: dict[Speaker, str] = dict.fromkeys(Speaker, "")
    for who, start, end in stretches([mark._asdict() for mark in row.marks], len(row.text)):
        said[who] += row.text[start:end]
    blocks = [block for turn in one.turns if isinstance(turn, AssistantTurn) for block in turn.blocks]
    assert said[Speaker.USER] == "".join(turn.text for turn in one.turns if isinstance(turn, UserTurn))
    assert said[Speaker.ANSWER] == "".join(block.text for block in blocks if isinstance(block, Response))
    assert said[Speaker.THOUGHTS] == "".join(block.text for block in blocks if isinstance(block, Thoughts))
    assert (said[Speaker.OUTPUT] != "") == any(isinstance(block, ToolOutputs) for block in blocks)
    assert said[Speaker.SYSTEM] == one.system


def test_a_dialogue_is_measured_and_a_page_is_not() -> None:
    stage = Turns(TurnsConfig(), StageContext())
    assert isinstance(stage, SoftStage)
    columns = stage.apply(batch(TALK)).columns
    assert {name: column[0].as_py() for name, column in columns.items()} == {
        "user_turns": 2,
        "user_chars": len("Wie spät ist es?Danke"),
        "answer_chars": len("Zwölf."),
        "shortest_answer": len("Zwölf."),
        "thought_chars": len("Ich frage.Gut."),
        "tool_calls": 2,
        "ends_with_answer": False,
    }
    assert all(column[1].as_py() is None for column in columns.values())


@pytest.mark.parametrize("said", [(), (Response("\u200b"),)])
def test_a_turn_that_says_nothing_is_the_shortest_answer(said: tuple[Response, ...]) -> None:
    given = batch(
        Conversation((UserTurn("Ja?"), AssistantTurn(said), UserTurn("Und?"), AssistantTurn((Response("b"),))))
    )
    clean = Normalise(NormaliseConfig(), StageContext()).apply(given).columns
    columns = Turns(TurnsConfig(), StageContext()).apply(pa.RecordBatch.from_pydict(clean)).columns
    assert (columns["answer_chars"][0].as_py(), columns["shortest_answer"][0].as_py()) == (1, 0)


@pytest.mark.parametrize(
    ("limits", "reason", "text"),
    [
        ({"min_turns": 3}, "turns-out-of-limits", "2 < 3"),
        ({"max_turns": 1}, "turns-out-of-limits", "2 > 1"),
        ({"min_user_chars": 22}, "user-length", "21 < 22"),
        ({"max_user_chars": 20}, "user-length", "21 > 20"),
        ({"min_answer_chars": 7}, "answer-length", "6 < 7"),
        ({"max_answer_chars": 5}, "answer-length", "6 > 5"),
        ({"ends_with_answer": True}, "no-final-answer", "the last words are not to the user"),
        ({"min_turns": 2, "max_turns": 2, "min_answer_chars": 6, "max_user_chars": 21}, None, None),
    ],
)
def test_limits_decide(limits: dict[str, object], reason: str | None, text: str | None) -> None:
    stage = Turns(TurnsConfig.model_validate(limits), StageContext())
    verdict = stage.decide(pa.RecordBatch.from_pydict(stage.apply(batch(TALK)).columns))
    assert verdict.rule is not None
    assert verdict.reason.tolist()[1] == 0
    assert (stage.reasons[verdict.reason[0] - 1].name if verdict.reason[0] else None) == reason
    assert (verdict.rule[0].as_py() or {"text": None})["text"] == text
