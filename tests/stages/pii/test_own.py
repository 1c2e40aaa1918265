"""Recognisers and models that a manifest brings, invented values, source code, and where a document is from."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.pii import Pii, PiiConfig
from lauter.stages.pii.card import is_card
from lauter.stages.pii.iban import is_iban
from lauter.stages.pii.place import place
from lauter.stages.pii.surrogate import Draw, surrogate

PLATES = """
from presidio_analyzer import Pattern, PatternRecognizer

class Plates(PatternRecognizer):
    def __init__(self):
        super().__init__("LICENSE_PLATE", patterns=[Pattern("plate", r"\\b[A-Z]{2} [0-9]{6}\\b", 0.9)])

class Doubtful(PatternRecognizer):
    def __init__(self):
        super().__init__("WORD", patterns=[Pattern("word", "plate", 0.2)])
"""
YAML = """
recognizers:
  - name: Zip
    supported_language: xx
    supported_entity: ZIP_CODE
    patterns: [{name: zip, regex: "\\\\bCH-[0-9]{4}\\\\b", score: 0.8}]
"""


def test_presidio_recognisers_of_the_manifest(tmp_path: Path, stage: Callable[[PiiConfig], Pii]) -> None:
    (tmp_path / "plates.py").write_text(PLATES)
    (tmp_path / "zip.yaml").write_text(YAML)
    files = (str(tmp_path / "plates.py"), str(tmp_path / "zip.yaml"))
    opened = stage(PiiConfig(recognisers=files))
    text = "é plate ZH 123456 in CH-8001, jane@acme.com"
    assert [(text[start:end], kind) for start, end, kind in opened.spans_of({"text": text})] == [
        ("ZH 123456", "license-plate"),
        ("CH-8001", "zip-code"),
        ("jane@acme.com", "email"),
    ]
    all_of_them = stage(PiiConfig(recognisers=files, least_score=0.1))
    assert ("word" in {kind for *_, kind in all_of_them.spans_of({"text": text})}) is True


def test_files_that_cannot_be_used_are_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = (\n")
    (tmp_path / "model.whl").write_bytes(b"no zip")
    for name, words in (("none.py", "holds no recogniser"), ("broken.py", "SyntaxError")):
        with pytest.raises(ValueError, match=words):
            Pii.check_config(PiiConfig(recognisers=(str(tmp_path / name),)))
    with pytest.raises(ValueError, match="not a spaCy pipeline"):
        Pii.check_config(PiiConfig(names=(str(tmp_path / "model.whl"),)))


@pytest.mark.slow
def test_names_by_a_small_model_made_on_the_spot(tmp_path: Path, stage: Callable[[PiiConfig], Pii]) -> None:
    import spacy
    from spacy.training import Example

    pipeline = spacy.blank("en")
    names: Any = pipeline.add_pipe("ner")
    names.add_label("PERSON")
    lines = [("Ada Lovelace wrote it", (0, 12)), ("it was Ada Lovelace again", (7, 19)), ("nobody wrote it", None)]
    examples = [
        Example.from_dict(pipeline.make_doc(text), {"entities": [(*span, "PERSON")] if span else []})
        for text, span in lines
    ]
    pipeline.initialize(lambda: examples)
    for _ in range(30):
        pipeline.update(examples)
    pipeline.to_disk(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "en_small.zip", "w") as archive:
        for path in sorted((tmp_path / "model").rglob("*")):
            archive.write(path, f"en_small/{path.relative_to(tmp_path / 'model')}")
    opened = stage(PiiConfig(names=(str(tmp_path / "en_small.zip"),)))
    text = "it was Ada Lovelace again"
    assert opened.spans_of({"text": text}) == [(7, 19, "name")]
    assert opened.spans_of({"text": text, "language": "eng_Latn"}) == [(7, 19, "name")]
    assert opened.spans_of({"text": text, "language": "deu_Latn"}) == []


TEXT = "a@b.org 66.46.179.200 DE89 3704 0044 0532 0130 00 4111-1111-1111-1111 +41 44 668 18 00 a@b.org 756.9217.0769.85"


def batch(texts: list[str], **columns: list[object]) -> pa.RecordBatch:
    ids = pa.array([bytes([row]) * 16 for row in range(len(texts))], pa.binary(16))
    given = {name: pa.array(values) for name, values in columns.items()}
    return pa.record_batch({"doc_id": ids, "text": pa.array(texts, pa.large_string()), **given})


def test_surrogates_are_of_the_same_form_and_nobody_s() -> None:
    stages = [Pii(PiiConfig(replacement="surrogate"), StageContext(seed=seed)) for seed in (0, 0, 1)]
    made = []
    for opened in stages:
        opened.open()
        verdict = opened.apply(batch([TEXT, TEXT], title=[TEXT, None]))
        made.append([*verdict.columns["text"].to_pylist(), verdict.columns["title"][0].as_py()])
    first, second, title = made[0]
    assert made[0] == made[1] != made[2]
    assert title == first != second  # by doc_id, and one value of a document has one surrogate
    words = first.split(" ")
    assert words[0] == words[-2] and re.fullmatch(r"[a-z]+\.[a-z]+@example\.(com|net|org)", words[0])
    assert words[1].startswith(("192.0.2.", "198.51.100.", "203.0.113."))
    account, card = " ".join(words[2:8]), words[8]
    assert account.startswith("DE00 ") and not is_iban(account.replace(" ", ""))
    assert re.fullmatch(r"4[0-9]{3}(-[0-9]{4}){3}", card) and not is_card(card.replace("-", ""))
    assert re.search(r"\+1 [0-9]{3}-555-01[0-9]{2}", first)
    assert not any(given in first for given in TEXT.split(" ") if len(given) > 6)
    spans = stages[0].apply(batch([TEXT])).columns["pii_spans"][0].as_py()
    assert {span["type"] for span in spans} >= {"email-surrogate", "id-surrogate"}
    assert first[spans[0]["start"] : spans[0]["end"]] == words[0]


@pytest.mark.parametrize("kind", ["mac", "secret", "crypto", "coordinates", "name", "ip", "id", "anything"])
def test_a_surrogate_is_never_the_value(kind: str) -> None:
    values = {
        "mac": "3c:07:54:12:ab:cd",
        "ip": "2a00:1450::200e",
        "coordinates": "47.376887, 8.541694",
        "id": "44051401359",
    }
    given = values.get(kind, "Ab3 dEf-9")
    assert surrogate(kind, given, Draw(1)) != given
    assert surrogate(kind, given, Draw(1)) == surrogate(kind, given, Draw(1))


def test_source_code_keeps_what_may_be_code(pii: Pii) -> None:
    text = "@a.b\nVERSION = (66, '66.46.179.200')  # jane@acme.com\nn = 4111111111111111"
    verdict = pii.apply(batch([text, text], path=["src/a.py", None]))
    code, page = verdict.columns["text"].to_pylist()
    assert code == text.replace("jane@acme.com", "<email-pii>")
    assert "<ip-pii>" in page and "<card-pii>" in page
    assert verdict.columns["pii_count"].to_pylist() == [1, 3]


@pytest.mark.parametrize(
    ("label", "url", "regions"),
    [
        ("deu_Latn", "https://user@www.example.ch:80/a.de", ("CH",)),
        ("deu_Latn", "https://example.com/", ("DE", "AT", "CH", "LI")),
        (None, "https://example.co.uk", ("GB",)),
        ("pol_Latn", "https://example.io/", ("PL",)),
        (None, None, ()),
        ("zxx_Zzzz", "no url", ()),
    ],
)
def test_where_a_document_is_from(label: str | None, url: str | None, regions: tuple[str, ...]) -> None:
    assert place(label, url).regions == regions


def test_a_range_outside_of_the_text_is_an_error(tmp_path: Path, stage: Callable[[PiiConfig], Pii]) -> None:
    (tmp_path / "strange.py").write_text(
        "from presidio_analyzer import EntityRecognizer, RecognizerResult\n"
        "class Strange(EntityRecognizer):\n"
        "    def __init__(self):\n        super().__init__(['OTHER'])\n"
        "    def load(self):\n        pass\n"
        "    def analyze(self, text, entities, nlp_artifacts):\n"
        "        return [RecognizerResult('OTHER', 0, len(text) + 1, 0.9)]\n"
    )
    opened = stage(PiiConfig(recognisers=(str(tmp_path / "strange.py"),)))
    with pytest.raises(ValueError, match="not in the text"):
        opened.spans_of({"text": "some text"})
