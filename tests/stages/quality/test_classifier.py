"""The learned score: trained from texts, written beside the rules, and decided by absolute limits and shares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from lauter.pipeline.contract import StageContext
from lauter.pipeline.steps.survey import summed
from lauter.stages.classifier.model import Classifier
from lauter.stages.kernels.words import text_buffers
from lauter.stages.log_odds import HALF, score_at, scores_of
from lauter.stages.quality import Quality
from lauter.stages.quality.classifier import LABELS, knows, load, log_odds_of
from lauter.stages.quality.cli import app
from lauter.stages.quality.thresholds import QualityConfig


def words_of(sentence: str) -> list[str]:
    return sentence.split()


GOOD = words_of("the reader learns how rivers carry sand to the sea and why deltas grow where water slows")
OTHER = words_of("click here buy now cheap watches free shipping login subscribe cart share tweet menu home")
GUT = words_of("der fluss trägt sand zum meer und ein delta wächst wo das wasser langsam wird")
SCHLECHT = words_of("hier klicken jetzt kaufen billig versand gratis anmelden warenkorb teilen menü startseite")


def write(path: Path, rows: Sequence[tuple[str, str | None]]) -> str:
    data = [{"text": text} | ({"language": label} if label else {}) for text, label in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in data))
    return str(path)


def sentences(words: list[str], other: list[str], count: int, seed: int) -> list[str]:
    """Texts with most words from one list and some from the other."""
    generator = np.random.default_rng(seed)
    return [
        " ".join(generator.choice(words if generator.random() < 0.7 else other) for _ in range(20))
        for _ in range(count)
    ]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("texts")
    rows = {
        "good": [(text, "eng_Latn") for text in sentences(GOOD, OTHER, 150, 0)]
        + [(text, "deu_Latn") for text in sentences(GUT, SCHLECHT, 400, 1)],
        "other": [(text, "eng_Latn") for text in sentences(OTHER, GOOD, 400, 2)]
        + [(text, "deu_Latn") for text in sentences(SCHLECHT, GUT, 150, 3)]
        + [(text, "fra_Latn") for text in sentences(OTHER, GUT, 20, 4)],
    }
    return write(folder / "good.jsonl", rows["good"]), write(folder / "other.jsonl", rows["other"])


@pytest.fixture(scope="module")
def model(texts: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "quality.model"
    result = run(*texts, "--out", path, "--licence", "CC0-1.0, made here")
    assert result.exit_code == 0, result.output
    assert "left out, as a class has too few texts: fra_Latn" in result.output
    return str(path)


def test_a_card_says_what_the_model_is(model: str) -> None:
    card = json.loads(Path(f"{model}.json").read_text())
    assert card["languages"] == ["deu_Latn", "eng_Latn"]
    assert card["left out"] == ["fra_Latn"]
    assert card["licence"] == "CC0-1.0, made here"
    assert card["held out"]["all"]["AUC"] > 0.95
    assert card["held out"]["all"]["ECE"] < 0.1
    assert card["digest"] == Classifier.load(Path(model)).digest
    assert {"texts", "recipe"} <= set(card)


def test_the_language_itself_is_no_sign_of_quality(model: str) -> None:
    # Most German texts are good and most English ones are not; a text that says nothing is neither in both.
    offsets, data = text_buffers(pa.array([" ".join(GUT), " ".join(GOOD), " ".join(SCHLECHT), " ".join(OTHER)]))
    found = log_odds_of(load(model), data, offsets)
    assert (found[:2] > 1).all()
    assert (found[2:] < -1).all()


def test_the_same_texts_give_the_same_bytes(model: str, texts: tuple[str, str], tmp_path: Path) -> None:
    lines = Path(texts[0]).read_text().splitlines(keepends=True)
    parts = tmp_path / "good"
    parts.mkdir()
    (parts / "a.jsonl").write_text("".join(lines[::2][::-1]))
    (parts / "b.jsonl").write_text("".join(lines[1::2]))
    result = run(parts, texts[1], "--out", tmp_path / "again", "--licence", "CC0-1.0, made here", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["languages"] == ["deu_Latn", "eng_Latn"]
    assert (tmp_path / "again").read_bytes() == Path(model).read_bytes()
    assert (tmp_path / "again.json").read_bytes() == Path(f"{model}.json").read_bytes()


def test_texts_without_a_language_give_a_model_for_all(texts: tuple[str, str], tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{name}.jsonl", [(text, None) for text in sentences(*words, 150, 5)])
        for name, words in (("good", (GOOD, OTHER)), ("other", (OTHER, GOOD)))
    ]
    assert run(*files, "--out", tmp_path / "model").exit_code == 0
    stage = opened(str(tmp_path / "model"))
    assert None not in scores(stage, [" ".join(GOOD)] * 2, ["nld_Latn", None])
    summary: dict[str, object] = {"languages": {"nld_Latn": {"records": 5}}, "reasons": []}
    section = Quality.report(summary, {}, QualityConfig(classifier=str(tmp_path / "model"), min_classifier=0.5))
    assert section is not None
    assert "in any language; kept are a probability of 0.5 or more." in section.sentences[0]
    # Where some texts name a language, those that name none are no licence to judge all others.
    mixed = Classifier.load(tmp_path / "model").noted({"languages": ["deu_Latn", "und"]})
    assert [knows(mixed, label) for label in ("deu_Latn", "nld_Latn", None)] == [True, False, False]


def opened(model: str, **values: object) -> Quality:
    stage = Quality(QualityConfig.model_validate({"classifier": model, **values}), StageContext())
    stage.open()
    return stage


def scores(stage: Quality, texts: list[str | None], languages: list[str | None]) -> list[int | None]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.string())})
    found: list[int | None] = stage.apply(batch).columns["quality_classifier"].to_pylist()
    return found


def test_scores_stand_beside_the_others_and_do_not_depend_on_the_batch(model: str) -> None:
    stage = opened(model)
    texts: list[str | None] = [" ".join(GOOD), " ".join(SCHLECHT), " ".join(GUT), "", None]
    languages: list[str | None] = ["eng_Latn", "deu_Latn", "fra_Latn", "eng_Latn", None]
    found = scores(stage, texts, languages)
    assert found == [scores(stage, [text], [label])[0] for text, label in zip(texts, languages, strict=True)]
    offsets, data = text_buffers(pa.array(texts[:2], pa.large_string()))
    assert found[:2] == scores_of(log_odds_of(load(model), data, offsets)).tolist()
    assert found[2] is None
    assert found[4] is None
    assert scores(opened_without(), texts, languages) == [None] * 5


def opened_without() -> Quality:
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    return stage


def decided(model: str, rows: list[tuple[str | None, int | None]], **values: object) -> list[str | None]:
    """What the evidence says of documents with a language and a score that break no rule."""
    config = QualityConfig.model_validate({"classifier": model, **values})
    stage = Quality(config, StageContext())
    empty = opened_without().apply(pa.record_batch({
        "text": pa.array([""] * len(rows), pa.large_string()), "language": pa.nulls(len(rows), pa.string()),
    })).columns  # fmt: skip
    batch = pa.record_batch({
        **{name: pa.nulls(len(rows), column.type) for name, column in empty.items()},
        "language": pa.array([row[0] for row in rows], pa.string()),
        "quality_classifier": pa.array([row[1] for row in rows], pa.uint16()),
    })  # fmt: skip
    if Quality.surveys(config):
        halves = [batch.slice(len(rows) // 2), batch.slice(0, len(rows) // 2)]
        stage.surveyed(*summed((found, np.ones(len(found), np.uint64)) for found in map(stage.occurrences, halves)))
    verdict = stage.decide(batch)
    names = {stage.reasons[code - 1].name for code in verdict.reason[verdict.reason > 0]}
    assert names <= {"classifier"}
    assert verdict.rule is not None
    return [None if rule is None else rule["text"] for rule in verdict.rule.to_pylist()]


ROWS: list[tuple[str | None, int | None]] = [("eng_Latn", HALF + 10 * step) for step in range(10)]


def test_the_best_share_of_a_language_is_kept(model: str) -> None:
    others: list[tuple[str | None, int | None]] = [("deu_Latn", 5), ("deu_Latn", None), (None, None)]
    found = decided(model, [*ROWS, *others], keep_best=0.33, min_documents=10)
    assert [text is not None for text in found] == [True] * 6 + [False] * 4 + [False] * 3
    assert found[0] == "quality_classifier 0.5000 < 0.5146 (keep_best)"
    tied = decided(model, [("eng_Latn", HALF)] * 10, keep_best=0.1, min_documents=10)
    assert tied == [None] * 10


def test_a_language_has_its_own_share(model: str) -> None:
    rows = [*ROWS, *(("deu_Latn", score) for _, score in ROWS)]
    found = decided(model, rows, keep_best=1.0, keep_best_of={"deu_Latn": 0.2}, min_documents=1)
    assert [text is not None for text in found] == [False] * 10 + [True] * 8 + [False] * 2


def test_an_absolute_limit(model: str) -> None:
    rows = [("eng_Latn", score_at(0.4)), ("eng_Latn", score_at(0.6)), (None, None)]
    found = decided(model, rows, min_classifier=0.5)
    assert [text is not None for text in found] == [True, False, False]


def test_parameters_that_cannot_be(model: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="need a `classifier`"):
        QualityConfig(keep_best=0.1)
    other = Classifier.load(Path(model)).noted({})
    other.save(tmp_path / "other")
    with pytest.raises(ValueError, match="`lauter quality train` makes the one wanted"):
        Quality.check_config(QualityConfig(classifier=str(tmp_path / "other")))
    assert LABELS == ("other", "good")


def test_the_report_lists_what_was_not_judged(model: str) -> None:
    ended = [("quality", "classifier", 2), ("quality", "few-words", 4), ("other", "classifier", 8)]
    summary = {
        "languages": {"eng_Latn": {"records": 5}, "fra_Latn": {"records": 3}, "-": {"records": 9}},
        "reasons": [{"stage": stage, "reason": reason, "records": count} for stage, reason, count in ended],
    }
    section = Quality.report(summary, {}, QualityConfig(classifier=model, keep_best=0.1))
    assert section is not None
    assert section.tables[0].rows == (("fra_Latn", 3),)
    assert section.facts[0] == ("documents dropped by the classifier", "2")
    assert "1 languages with 3 records" in section.warnings[0]
    assert "in 2 languages; kept are the best 0.1 of each language. A share" in section.sentences[0]
    single = Quality.report(summary, {}, QualityConfig(classifier=model, keep_best_of={"deu_Latn": 0.2}))
    assert single is not None
    assert "kept are the best 0.2 of deu_Latn. A share" in single.sentences[0]
    assert single.warnings
    scored = Quality.report(summary, {}, QualityConfig(classifier=model))
    assert scored is not None
    assert scored.sentences[0].endswith("; nothing was decided by it.")
    assert not scored.warnings
    assert Quality.report(summary, {}, QualityConfig()) is None


def test_what_is_not_there_is_a_usage_error(texts: tuple[str, str], model: str, tmp_path: Path) -> None:
    few = write(tmp_path / "few.jsonl", [("a b c", "eng_Latn"), ("d e f", "eng_Latn")])
    for arguments, code, words in (
        ((model, texts[1], "--out", tmp_path / "m"), 2, "a file of texts ends in"),
        ((tmp_path / "none.jsonl", texts[1], "--out", tmp_path / "m"), 2, "can't be read"),
        ((*texts, "--out", model), 2, "never overwritten"),
        ((few, texts[1], "--out", tmp_path / "m"), 1, "too few texts"),
    ):
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert words in " ".join(result.stderr.split())
    assert not (tmp_path / "m").exists()
