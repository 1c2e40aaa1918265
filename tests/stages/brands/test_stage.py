"""An assistant that claims to be another one is found in many languages, and a painter called Claude is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lauter.chat.conversation import AssistantTurn, Conversation, Response, UserTurn
from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext
from lauter.stages.brands.names import EMBEDDED, read_names
from lauter.stages.brands.stage import Brands, BrandsConfig
from lauter.stages.read.dialogues.turns import marked


def judged(answer: str, question: str = "Who?", **config: object) -> tuple[str | None, str | None]:
    """The reason, and the name that the rule tells."""
    row = marked(Conversation((UserTurn(question), AssistantTurn((Response(answer),)))))
    marks = pa.array([[mark._asdict() for mark in row.marks], None], schema.RECORD.field("marks").type)
    stage = Brands(BrandsConfig.model_validate(config), StageContext())
    batch = pa.record_batch({"text": pa.array([row.text, "ChatGPT"], pa.large_string()), "marks": marks})
    verdict = stage.decide(pa.RecordBatch.from_pydict(stage.apply(batch).columns))
    assert verdict.reason[1] == 0
    assert verdict.rule is not None
    code = int(verdict.reason[0])
    return (stage.reasons[code - 1].name, verdict.rule[0].as_py()["text"]) if code else (None, None)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("I'm ChatGPT, and I can help.", "ChatGPT"),
        ("I am a model trained by Google.", "Google"),
        ("I was created by xAI.", "xAI"),
        ("Ich bin **Claude** und helfe gern.", "Claude"),
        ("Je m’appelle Gemini.", "Gemini"),
        ("Mi chiamo Bard.", "Bard"),
        ("Soy  Copilot.", "Copilot"),
        ("Jestem Grok.", "Grok"),
        ("Меня зовут Siri.", "Siri"),
        ("我是Claude，一个助手。", "Claude"),
        ("私はGeminiです。", "Gemini"),
        ("저는 Bard 입니다.", "Bard"),
        ("मेरा नाम Alexa है।", "Alexa"),
        ("أنا Gemini مساعد.", "Gemini"),
    ],
)
def test_claims_are_found(answer: str, name: str) -> None:
    assert judged(answer, drop="claims") == ("claims-a-brand", name)


@pytest.mark.parametrize(
    "answer",
    [
        "Claude Monet painted water lilies, and Gemini is a constellation.",
        "The mistral is a cold wind. A llama lives in the Andes.",
        "Google is a company that has its seat in Mountain View.",
        "I am a helpful assistant. Apertus is my name.",
        "Maxaikido and xenai are no names.",
        "XAI, explainable AI, asks why a network decides so.",
    ],
)
def test_other_meanings_are_let_be(answer: str) -> None:
    assert judged(answer, drop="anywhere") == (None, None)


def test_how_much_is_too_much_is_a_choice() -> None:
    mention = "Many people use ChatGPT."
    assert judged(mention) == ("names-a-brand", "ChatGPT")
    assert judged(mention, drop="claims") == (None, None)
    assert judged(mention, drop=None) == (None, None)
    assert judged("No idea.", "Are you ChatGPT?") == (None, None)
    assert judged("No idea.", "Are you ChatGPT?", drop="anywhere") == ("names-a-brand", "ChatGPT")


def test_files_are_checked(tmp_path: Path) -> None:
    assert read_names(EMBEDDED).claim is not None
    (tmp_path / "own.yaml").write_text("names: [Robbie]")
    assert judged("Ask Robbie.", names=str(tmp_path / "own.yaml")) == ("names-a-brand", "Robbie")
    for content, message in (
        ("names: [a]\nclaims: ['I am it']", "must have one"),
        ("names: []", "names"),
        ("{", "YAML"),
    ):
        (tmp_path / "bad.yaml").write_text(content)
        read_names.cache_clear()
        with pytest.raises(ValueError, match=message):
            Brands.check_config(BrandsConfig(names=str(tmp_path / "bad.yaml")))
