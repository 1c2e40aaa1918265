"""A report on a real model over a few sentences, and that its charts show what it says."""

from __future__ import annotations

import json
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lauter.stages.language.evaluation.charts import charts, overview
from lauter.stages.language.evaluation.evaluate import evaluate
from lauter.stages.language.evaluation.examples import read
from lauter.stages.language.labels.support import Support
from lauter.stages.language.load import load

TEXTS = (
    ("deu_Latn", "Alle Menschen sind frei und gleich an Würde und Rechten geboren."),
    ("deu_Latn", "Sie sind mit Vernunft und Gewissen begabt und sollen einander begegnen."),
    ("eng_Latn", "All human beings are born free and equal in dignity and rights."),
    ("rus_Cyrl", "Все люди рождаются свободными и равными в своем достоинстве и правах."),
    ("jpn_Jpan", "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"),
    ("est_Latn", "Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt."),
    ("bos_Latn", "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."),
    ("chr_Cher", "ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ᏚᏳᎧᏛ ᎨᏒᎢ"),
)
SUPPORT = {
    "deu_Latn": Support("deu_Latn", "well", "running-text", 0.5, "", {}),
    "bos_Latn": Support("bos_Latn", "weak", "running-text", 0.9999, "hbs", {}),
    "hbs_Latn": Support("hbs_Latn", "weak", "running-text", 0.9999, "hbs", {}),
    "hrv_Latn": Support("hrv_Latn", "weak", "running-text", 0.9999, "hbs", {}),
    "srp_Latn": Support("srp_Latn", "weak", "running-text", 0.9999, "hbs", {}),
}


@cache
def report() -> dict[str, Any]:
    return report_with(SUPPORT)


def report_with(support: Mapping[str, Support]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rights.tsv"
        path.write_text("".join(f"{label}\t{text}\n" for label, text in TEXTS), "utf-8")
        told: list[int] = []
        found = evaluate(load("lid.176"), read(path), support, told.append)
        assert told == [len(TEXTS)]
    return found


def by_label(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in report()["labels"] if row["label"] == name)
    return found


def test_every_text_is_counted_and_plain_data() -> None:
    found = report()
    assert json.loads(json.dumps(found)) == found
    assert found["set"] == "rights"
    assert found["all"]["texts"] == len(TEXTS)
    assert found["all"]["labels"] == 7
    for table in ("by_script", "by_length"):
        assert sum(row["texts"] for row in found[table]) == len(TEXTS), table
    assert sum(row["texts"] for row in found["reliability"]) == len(TEXTS)


def test_labels_that_the_model_does_not_have() -> None:
    found = report()
    # Cherokee is unknown; Estonian is called ekk by the model's table.
    assert found["unknown_labels"] == ["chr_Cher"]
    assert found["known"]["texts"] == len(TEXTS) - 1
    assert by_label("ekk_Latn")["f1"] == 1
    assert by_label("chr_Cher")["recall"] == 0


def test_sisters_are_one_when_rolled_up() -> None:
    found = report()
    (wrong,) = [row for row in found["confusions"] if row["gold"] == "bos_Latn"]
    assert wrong["answer"] in {"hrv_Latn", "hbs_Latn", "srp_Latn"}
    right = round(found["all"]["accuracy"] * len(TEXTS))
    assert round(found["clusters"]["accuracy"] * len(TEXTS)) == right + 1
    assert round(found["macrolanguages"]["accuracy"] * len(TEXTS)) == right + 1


def test_thresholds_drop_answers() -> None:
    rows = {row["threshold"]: row for row in report()["by_threshold"]}
    assert set(rows) == {0.3, 0.5, 0.7, 0.9, "own"}
    accepted = [rows[least]["accepted"] for least in (0.3, 0.5, 0.7, 0.9)]
    assert accepted == sorted(accepted, reverse=True)
    german = by_label("deu_Latn")
    assert (german["texts"], german["accepted"], german["precision_above_threshold"]) == (2, 2, 1.0)


def test_texts_that_are_taken_for_a_language_with_thin_evidence() -> None:
    thin = {label: row._replace(level="words", threshold=0.0) for label, row in SUPPORT.items() if label != "bos_Latn"}
    rows = {row["label"]: row for row in report_with(thin | {"bos_Latn": SUPPORT["bos_Latn"]})["labels"]}
    assert rows["bos_Latn"]["answered_thin"] == 1
    assert rows["deu_Latn"]["answered_thin"] == 0, "a right answer is none"
    assert by_label("bos_Latn")["answered_thin"] == 0


def test_levels_are_told_apart() -> None:
    levels = {row["name"]: row for row in report()["by_level"]}
    assert levels["well"]["texts"] == 2
    assert levels["weak"]["labels"] == 1


@pytest.mark.parametrize("name", ["labels", "calibration", "lengths", "scripts", "confusions", "overview"])
def test_charts_are_whole_documents_that_load_nothing(name: str) -> None:
    text = overview([report()]) if name == "overview" else charts(report())[name]
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for shape in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert -0.5 <= float(shape.attrib["x"]) <= width
        assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= width + 0.5
        assert float(shape.attrib["y"]) + float(shape.attrib["height"]) <= height + 0.5
    words = "".join(root.itertext())
    assert "rights" in words
    if name == "labels":
        assert "well supported (1)" in words
    if name == "confusions":
        assert "bos_Latn" in words
