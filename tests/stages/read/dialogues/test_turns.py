"""Text and marks of a conversation give, encoded, the ids and the loss of the chat format, also after rewriting."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.chat.control import NAMES
from lauter.chat.conversation import AssistantTurn, Conversation, Response, UserTurn
from lauter.chat.encode import encode
from lauter.chat.pieces import pieces
from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext
from lauter.pipeline.cuts import code_points
from lauter.pipeline.marking import mark_problem
from lauter.stages.normalise import Normalise, NormaliseConfig
from lauter.stages.read.dialogues.turns import Mark, marked
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from tests.chat.conversations import conversations
from tests.stages.tokens.byte_tokenizer import write_byte_tokenizer

MARKS = schema.RECORD.field("marks").type


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceEncoder:
    config = TokenizerConfig.model_validate(write_byte_tokenizer(tmp_path_factory.mktemp("bytes")))
    found = HuggingFaceEncoder(config, StageContext())
    found.open()
    return found


def batch(some: list[Conversation]) -> pa.RecordBatch:
    rows = [marked(one) for one in some]
    marks = pa.array([[mark._asdict() for mark in row.marks] for row in rows], MARKS)
    return pa.record_batch({"text": pa.array([row.text for row in rows], pa.large_string()), "marks": marks})


@settings(max_examples=40, deadline=None)
@given(some=st.lists(conversations(), min_size=1, max_size=3), bare=st.booleans())
def test_ids_and_loss_are_those_of_the_chat_format(
    encoder: HuggingFaceEncoder, some: list[Conversation], *, bare: bool
) -> None:
    some = [replace(one, system=None) for one in some] if bare else some
    rows = batch(some)
    assert mark_problem(rows.column("marks"), code_points(rows.column("text"))) is None
    ids, loss = encoder.encode_marked(rows.column("text"), None, rows.column("marks"))
    sidecar = encoder.definition.sidecar
    for row, one in enumerate(some):
        expected = encode(
            pieces(one, open_answer=not one.answered),
            lambda text: encoder.encode(pa.array([text], pa.large_string()), None)[0].as_py()[1:-1],
            {name: sidecar.added[name] for name in NAMES},
            bos=sidecar.bos.id,
        )
        assert ids[row].as_py() == expected.ids
        assert loss[row].as_py() == expected.loss_spans


@settings(max_examples=40, deadline=None)
@given(one=conversations())
def test_turns_are_normalised_each_for_itself(one: Conversation) -> None:
    stage = Normalise(NormaliseConfig(), StageContext())
    rows = batch([one])
    columns = stage.apply(rows).columns
    assert mark_problem(columns["marks"], code_points(columns["text"])) is None
    before, after = (
        stretches(some["text"][0].as_py(), some["marks"][0].as_py())
        for some in ({name: rows.column(name) for name in ("text", "marks")}, columns)
    )
    alone = stage.apply(pa.record_batch({"text": pa.array([text for text, _ in before], pa.large_string())}))
    # What is clean as a whole is not touched, and a turn that begins with an empty line is clean there.
    expected = alone.columns["text"].to_pylist()
    assert [text.strip("\n ") for text, _ in after] == [text.strip("\n ") for text in expected]
    assert [control for _, control in after] == [control for _, control in before]


def stretches(text: str, marks: list[dict[str, object]]) -> list[tuple[str, object]]:
    """The text before each mark and what the mark says, and the text behind all."""
    found: list[tuple[str, object]] = []
    at = 0
    for mark in marks:
        assert isinstance(mark["start"], int)
        assert isinstance(mark["end"], int)
        found.append((text[at : mark["start"]], (mark["control"], mark["literal"], mark["opens"])))
        at = mark["end"]
    return [*found, (text[at:], None)]


def test_the_formats_own_words_are_no_text() -> None:
    found = marked(Conversation((UserTurn("Grüezi"), AssistantTurn((Response("Salü"),)))))
    assert found.text == "Grüezi\n\nSalü"
    assert [mark.literal is not None for mark in found.marks[:3]] == [True, False, True]


def test_who_spoke_is_part_of_the_identity() -> None:
    one = Conversation((UserTurn("a"), UserTurn("b")))
    two = Conversation((UserTurn("a"), AssistantTurn((Response("b"),))))
    assert marked(one).text == marked(two).text
    assert marked(one).identity != marked(two).identity


def test_text_without_marks_is_encoded_as_ever(encoder: HuggingFaceEncoder) -> None:
    def mark(control: str) -> dict[str, object]:
        return Mark(0, 0, control, opens=True)._asdict()

    text = pa.array(["Guten Tag <|user_start|>", "Hello"], pa.large_string())
    ids, loss = encoder.encode_marked(text, None, pa.array([None, [mark("<|user_start|>")]], MARKS))
    assert ids[0].as_py() == encoder.encode(text, None)[0].as_py()
    assert loss.to_pylist() == [None, [2, len(ids[1])]]
    assert "<|user_start|>" in encoder.definition.sidecar.added
    with pytest.raises(ValueError, match=r"no control token <\|wrong\|>"):
        encoder.encode_marked(text[:1], None, pa.array([[mark("<|wrong|>")]], MARKS))
