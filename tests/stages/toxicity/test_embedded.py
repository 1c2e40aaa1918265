"""The embedded model as it is shipped: what it says, its card, and the figures it claims."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.classifier.model import Classifier
from lauter.stages.toxicity import Toxicity, ToxicityConfig
from lauter.stages.toxicity.embedded import MODEL, Embedded, of_windows
from lauter.stages.toxicity.lexicon import Lexicon

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LAUTER_TEST_DATA", ROOT.parent / "shared" / "data"))
FOLDER = resources.files("lauter.stages.toxicity").joinpath("models/embedded")


@cache
def embedded() -> Embedded:
    return Embedded.load(None, Lexicon())


def score(texts: list[str], labels: list[str | None]) -> list[int | None]:
    found: list[int | None] = embedded().score(pa.array(texts, pa.large_string()), pa.array(labels)).to_pylist()
    return found


@pytest.mark.parametrize(
    ("foul", "clean", "label"),
    [
        ("You are all worthless pieces of shit and should die.", "The train to Bern leaves at ten.", "eng_Latn"),
        ("Ich hasse diese widerlichen Schwuchteln, verreckt alle.", "Der Zug nach Bern fährt um zehn.", "deu_Latn"),
        ("Las mujeres son asquerosas, las odio a todas.", "El tren a Berna sale a las diez.", "spa_Latn"),
        ("Je déteste tous ces sales arabes répugnants.", "Le train pour Berne part à dix heures.", "fra_Latn"),
        ("女人都是垃圾，真恶心，去死吧", "开往伯尔尼的火车十点出发。", "cmn_Hani"),
    ],
)
def test_abuse_is_told_from_what_is_none(foul: str, clean: str, label: str) -> None:
    high, low = score([foul, clean], [label, label])
    assert high is not None
    assert low is not None
    assert high > 5000 > low


def test_what_it_does_not_know_is_null() -> None:
    assert score(["fuck", "fuck", "", "  \n"], ["swh_Latn", None, "eng_Latn", "eng_Latn"]) == [None] * 4


def test_answers_do_not_depend_on_the_batch_or_on_what_stands_beside() -> None:
    texts = ["You stupid idiot.", "A train. " * 200, "", "Ein Zug."]
    labels: list[str | None] = ["eng_Latn", "eng_Latn", "eng_Latn", "deu_Latn"]
    alone = [score([text], [label])[0] for text, label in zip(texts, labels, strict=True)]
    assert score(texts, labels) == alone
    sliced = pa.array(["you shit", *texts], pa.large_string()).slice(1)
    assert embedded().score(sliced, pa.array(labels)).to_pylist() == alone


def test_a_document_is_as_bad_as_a_tenth_of_its_windows() -> None:
    ten = [100, 900, *[50] * 8]
    scores = np.array([*ten, 7, *ten, 800], np.uint16)
    assert of_windows(scores, np.array([10, 1, 11])).tolist() == [900, 7, 800]


def test_one_insult_in_a_long_page_is_not_the_page() -> None:
    page = "The council will meet on Tuesday to discuss the new road and the bridge over the river. " * 100
    insult = "You are all worthless pieces of shit and should die. " * 4
    quiet, quoting, foul = score([page, page + insult, insult * 20], ["eng_Latn"] * 3)
    assert quiet == quoting
    assert foul is not None
    assert quiet is not None
    assert foul > quiet


def test_lists_judge_languages_without_the_model_and_texts_dense_in_their_words() -> None:
    made = Toxicity(ToxicityConfig(), StageContext())
    made.open()
    columns = {
        "text": pa.array(["иди нахуй", "I hate all of you", "このクソ野郎が", "fuck", "fuck you"], pa.large_string()),
        "language": pa.array(["rus_Cyrl", "eng_Latn", "jpn_Jpan", "swh_Latn", "eng_Latn"]),
    }
    found = made.apply(pa.record_batch(columns)).columns
    assert found["toxicity_model"].to_pylist() == [1, 2, 1, None, 1]
    assert found["toxicity"].null_count == 1


def test_scores_of_a_language_are_of_one_scale() -> None:
    made = Toxicity(ToxicityConfig(), StageContext())
    made.open()
    words = ["the train to the lake is late today and so are we"] * 3
    texts = [" ".join(["fuck"] * hits + words) for hits in (0, 1, 2, 4, 8, 30)]
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    found = made.apply(pa.record_batch(columns)).columns
    scores, who = found["toxicity"].to_pylist(), found["toxicity_model"].to_pylist()
    ours, theirs = score(texts, ["eng_Latn"] * len(texts)), made._lexicon.score(columns["text"], columns["language"])  # type: ignore[union-attr]
    for value, model, own, listed in zip(scores, who, ours, theirs.to_pylist(), strict=True):
        assert own is not None
        assert value >= own
        # Dense in the words of the list: as if the embedded model were sure.
        assert (value > 9000) == (listed > 5000 or own > 9000)
        assert model == (2 if value == own else 1)
    assert who[0] == 2
    assert 1 in who


def test_a_file_that_is_no_model_of_toxicity_is_an_error(tmp_path: Path) -> None:
    with resources.as_file(resources.files("lauter.stages.toxicity").joinpath(MODEL)) as path:
        model = Classifier.load(path)
    model.noted({}).save(tmp_path / "other")
    # A model of quality has languages too.
    replace(model, labels=("other", "good")).noted({"languages": ["eng_Latn"]}).save(tmp_path / "quality")
    model.noted({**model.notes, "weights": model.notes["weights"][:-1]}).save(tmp_path / "older")
    with pytest.raises(ValueError, match="was trained by another version"):
        Toxicity.check_config(ToxicityConfig(model_file=str(tmp_path / "older")))
    for name in ("other", "quality"):
        with pytest.raises(ValueError, match="no model of toxicity"):
            Toxicity.check_config(ToxicityConfig(model_file=str(tmp_path / name)))


def test_the_card_is_that_of_the_model_and_names_licences_that_allow_it() -> None:
    card: dict[str, Any] = json.loads(FOLDER.joinpath("card.json").read_text("utf-8"))
    assert card["digest"] == embedded().model.digest
    assert {label for row in card["languages"].values() for label in row["labels"]} == embedded().languages
    licences = {row["licence"] for row in card["trained on"].values()}
    assert licences <= {"MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0", "public-domain"}
    notice = FOLDER.joinpath("NOTICE").read_text("utf-8")
    assert all(name in notice for name in card["trained on"])
    assert card["limits"]


def test_ordinary_pages_are_hardly_ever_dropped() -> None:
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the test data {path.name} is not there: set LAUTER_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][::4]
    texts = [str(row["gt"]["text"]) for row in rows if isinstance(row["gt"], dict) and row["gt"].get("text")]
    # As English whatever they are, as in the test of the word lists.
    found = np.array(score(texts, ["eng_Latn"] * len(texts)), np.float64)
    assert len(texts) > 500
    assert np.mean(found > 9000) < 0.004
