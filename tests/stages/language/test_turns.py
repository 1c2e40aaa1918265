"""Both sides of a dialogue are identified, each for itself, and a page is not."""

from __future__ import annotations

import pyarrow as pa

from lauter.chat.conversation import AssistantTurn, Conversation, Response, Thoughts, UserTurn
from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext
from lauter.stages.language.turns import TurnLanguages, TurnLanguagesConfig
from lauter.stages.read.dialogues.turns import marked

DE = "Welches Tier ist das schnellste auf dem Land, und wie schnell kann es laufen?"
FR = "L'animal le plus rapide sur terre est le guépard, qui court à plus de cent kilomètres à l'heure."
EN = "Think about what this person really wants to know, and then answer the question in a friendly way."


def conversation(question: str, answer: str) -> Conversation:
    return Conversation((UserTurn(question), AssistantTurn((Thoughts(EN), Response(answer)))), EN)


def test_answers_in_another_language_are_dropped_where_that_is_a_fault() -> None:
    rows = [marked(conversation(*pair)) for pair in ((DE, FR), (DE, DE), (DE, "1, 2"))]
    marks = [[mark._asdict() for mark in row.marks] for row in rows]
    batch = pa.record_batch(
        {
            "text": pa.array([*(row.text for row in rows), FR], pa.large_string()),
            "marks": pa.array([*marks, None], schema.RECORD.field("marks").type),
        }
    )
    decided = []
    for same in (True, False):
        stage = TurnLanguages(TurnLanguagesConfig(same=same), StageContext())
        stage.open()
        columns = stage.apply(batch).columns
        decided.append(stage.decide(pa.RecordBatch.from_pydict(columns)))
    assert columns["user_language"].to_pylist() == ["deu_Latn"] * 3 + [None]
    assert columns["answer_language"].to_pylist()[:2] == ["fra_Latn", "deu_Latn"]
    assert columns["answer_language"][3].as_py() is None
    assert [verdict.reason.tolist() for verdict in decided] == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert decided[0].rule is not None
    assert decided[0].rule[0].as_py()["text"] == "deu_Latn is answered in fra_Latn"
