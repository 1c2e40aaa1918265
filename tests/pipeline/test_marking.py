"""What the engine asks of marks, and of stages that move them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext, Verdict
from lauter.pipeline.marking import MarkedReader, MarkingEncoder, MarkingStage, is_marked, mark_problem
from lauter.pipeline.steps import isolate
from lauter.stages.catalogue import CATALOGUE
from lauter.stages.normalise import Normalise, NormaliseConfig
from lauter.stages.pii import Pii
from lauter.stages.read.dialogues.reader import DialoguesReader
from lauter.stages.read.jsonl import JsonlReader
from lauter.stages.tokens.encoder import HuggingFaceEncoder
from tests.pipeline.small_stages import Bytes, NoConfig, Words

MARKS = schema.RECORD.field("marks").type


def marks(*rows: list[tuple[int, int]] | None) -> pa.ListArray:
    rest = {"control": "<t>", "literal": None, "trained": False, "opens": False}
    made = [None if row is None else [{"start": start, "end": end, **rest} for start, end in row] for row in rows]
    return pa.array(made, MARKS)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([None, [], [(0, 0), (0, 0), (2, 3), (3, 3), (5, 5)]], None),
        ([[(2, 1)]], "reaches out"),
        ([[(-1, 1)]], "reaches out"),
        ([[(4, 6)]], "reaches out"),
        ([[(1, 3), (2, 4)]], "overlap"),
        ([[(3, 3)], [(1, 1)]], None),
    ],
)
def test_marks_are_in_order_within_their_text(rows: list[Any], problem: str | None) -> None:
    found = mark_problem(marks(*rows), np.full(len(rows), 5, np.int64))
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_the_parts_say_what_they_are() -> None:
    assert is_marked(DialoguesReader)
    assert not is_marked(JsonlReader)
    parts: dict[object, tuple[type, bool]] = {
        DialoguesReader: (MarkedReader, True),
        JsonlReader: (MarkedReader, False),
        HuggingFaceEncoder: (MarkingEncoder, True),
        Bytes: (MarkingEncoder, False),
        Normalise: (MarkingStage, True),
        Pii: (MarkingStage, True),
        Words: (MarkingStage, False),
    }
    assert {part: isinstance(part, protocol) for part, (protocol, _) in parts.items()} == {
        part: expected for part, (_, expected) in parts.items()
    }
    assert "dialogues" in CATALOGUE.readers


class Forgetful(Words):
    """Says that it moves marks, and does not."""

    moves_marks: ClassVar[bool] = True


class Raising(Normalise):
    """Raises on one text."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        if "bad" in batch.column("text").to_pylist():
            raise RuntimeError
        return super().apply(batch)


def test_a_stage_that_moves_marks_must_give_them_back() -> None:
    batch = pa.record_batch({"text": pa.array(["A b"], pa.large_string()), "marks": marks([(1, 1)])})
    with pytest.raises(isolate.StageError, match=r"declares \[.*'marks'\]"):
        isolate.apply(Forgetful(NoConfig(), StageContext()), batch)
    bare = batch.select(["text"])
    assert isolate.apply(Forgetful(NoConfig(), StageContext()), bare).keep.all()


def test_a_row_that_fails_takes_no_marks_of_others_with_it() -> None:
    batch = pa.record_batch(
        {"text": pa.array(["one ", "bad", "three"], pa.large_string()), "marks": marks([(3, 4)], [(0, 0)], None)}
    )
    verdict = isolate.apply(Raising(NormaliseConfig(), StageContext()), batch)
    assert verdict.reason.tolist() == [0, isolate.FAILED, 0]
    found = verdict.columns["marks"].to_pylist()
    assert [found[0][0]["start"], found[1], found[2]] == [3, None, None]
