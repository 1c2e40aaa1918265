"""The stage on real benchmarks (GSM8K, MGSM in 11 languages, HumanEval) planted in real pages."""

from __future__ import annotations

import gzip
import json
import os
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from lauter.pipeline.contract import MapStage, PreparedStage, ReportingStage, SoftStage, StageContext
from lauter.stages.decontaminate import Decontaminate, DecontaminateConfig

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
FILES = {"gsm8k": "gsm8k_test.jsonl", "humaneval": "HumanEval.jsonl.gz", "mgsm": "mgsm.tsv.jsonl"}
FIELDS = {"gsm8k": ["question", "answer"], "humaneval": ["prompt"], "mgsm": ["question"]}


def config_of(**more: object) -> DecontaminateConfig:
    if not (DATA / "decontam").is_dir():
        pytest.skip("decontam/ is not under LAUTER_TEST_DATA")
    paths = {name: str(DATA / "decontam" / file) for name, file in FILES.items()}
    return DecontaminateConfig.model_validate({"benchmarks": paths, "fields": FIELDS, **more})


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decontaminate]:
    """A prepared stage for each rule."""
    found = {}
    for rule in ("tulu", "gpt3"):
        config, folder = config_of(rule=rule), str(tmp_path_factory.mktemp(rule))
        Decontaminate(config, StageContext()).prepare(folder)
        found[rule] = Decontaminate(config, StageContext(artefacts=folder))
        found[rule].open()
    return found


@cache
def pages() -> list[str]:
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        pytest.skip("ground_truth.jsonl.gz is not under LAUTER_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [text for line in lines if (text := json.loads(line)["gt"].get("text"))]


@cache
def items(name: str, field: str) -> list[tuple[int, str]]:
    """(line, text) of a field of a benchmark."""
    path = DATA / "decontam" / FILES[name]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [(number, json.loads(line)[field]) for number, line in enumerate(content.splitlines(), start=1)]


def decided(stage: Decontaminate, texts: list[str]) -> list[dict[str, Any] | None]:
    """The evidence against each text, None where it is kept."""
    verdict = stage.apply(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    assert verdict.keep.all()
    scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=stage.scores)
    decision = stage.decide(scores)
    rules = decision.rule.to_pylist() if decision.rule is not None else []
    assert [bool(rule) for rule in rules] == (decision.reason > 0).tolist()
    return rules


def in_page(text: str, seed: int) -> str:
    """A text in the middle of a long page."""
    draw = random.Random(seed)
    page = draw.choice([page for page in pages() if len(page) > 5000])
    middle = len(page) // 2
    return f"{page[:middle]}\n\n{text}\n\n{page[middle:]}"


def test_it_keeps_the_contract() -> None:
    stage = Decontaminate(config_of(), StageContext())
    checked: MapStage = stage
    assert isinstance(stage, SoftStage) and isinstance(stage, PreparedStage) and isinstance(stage, ReportingStage)
    assert checked.name == "decontaminate"


@pytest.mark.parametrize("rule", ["tulu", "gpt3"])
def test_pages_of_the_web_are_clean(stages: dict[str, Decontaminate], rule: str) -> None:
    assert [evidence for evidence in decided(stages[rule], pages()) if evidence] == []


def changed(text: str) -> str:
    """The same words in capitals, with other punctuation, spaces and lines."""
    words = [word.rstrip(".,") for word in text.upper().split()]
    return "".join(word + (" !\n" if place % 5 == 4 else ",  ") for place, word in enumerate(words))


@pytest.mark.parametrize("rule", ["tulu", "gpt3"])
def test_every_planted_question_is_found(stages: dict[str, Decontaminate], rule: str) -> None:
    planted = items("gsm8k", "question")
    texts = [text for _, text in planted]
    for form in (
        texts,
        [changed(text) for text in texts],
        [in_page(text, seed) for seed, text in enumerate(texts[:100])],
    ):
        found = decided(stages[rule], form)
        missed = [text for text, evidence in zip(texts, found, strict=False) if evidence is None]
        assert not missed, "the benchmark's questions have 10 words and more"
        agents = {evidence["agent"] for evidence in found if evidence}
        assert agents <= {"gsm8k", "mgsm"}, "MGSM's English questions are GSM8K's"
    named = sum(
        evidence is not None and evidence["line"] == line for (line, _), evidence in zip(planted, found, strict=False)
    )
    assert named >= 98


def test_items_of_every_language_are_found(stages: dict[str, Decontaminate]) -> None:
    lines = (DATA / "decontam" / FILES["mgsm"]).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines][::4]
    assert len({row["lang"] for row in rows}) == 11
    for rule, stage in stages.items():
        found = decided(stage, [in_page(row["question"], seed) for seed, row in enumerate(rows)])
        missed = [row["lang"] for row, evidence in zip(rows, found, strict=True) if evidence is None]
        assert not missed, rule
        assert all(evidence and evidence["signal"] == rule for evidence in found)


def test_code_is_found_in_other_layout(stages: dict[str, Decontaminate]) -> None:
    prompts = [text for _, text in items("humaneval", "prompt")]
    long = [text for text in prompts if len(text.split()) >= 16]
    for rule in ("tulu", "gpt3"):
        found = decided(stages[rule], [text.replace("    ", "\t").replace("\n", "\r\n") for text in long])
        assert all(evidence and evidence["agent"] == "humaneval" for evidence in found)


def test_half_of_an_item_decides_by_the_ratio(stages: dict[str, Decontaminate]) -> None:
    texts = [text for _, text in items("gsm8k", "question") if len(text.split()) >= 40]
    most, least = (
        [in_page(" ".join(words[: round(share * len(words))]), 0) for words in map(str.split, texts)]
        for share in (0.6, 0.4)
    )
    assert all(decided(stages["tulu"], most))
    found = [evidence for evidence in decided(stages["tulu"], least) if evidence]
    assert len(found) <= 0.01 * len(least), "a few answers repeat the long first sentence of their question"
    assert all(decided(stages["gpt3"], least)), "one run of 13 words is enough there"


def test_the_evidence_is_the_benchmarks_own_words(stages: dict[str, Decontaminate]) -> None:
    line, question = items("gsm8k", "question")[0]
    words = question.split()
    found = decided(stages["tulu"], [" ".join(words[3:]).lower().replace("'", "")])
    assert found == [{"agent": "gsm8k", "signal": "tulu", "line": line, "text": " ".join(words[3:11])}]


def test_another_ratio_reads_scores_alone(stages: dict[str, Decontaminate]) -> None:
    words = items("gsm8k", "question")[0][1].split()
    verdict = stages["tulu"].apply(pa.record_batch({"text": pa.array([" ".join(words[:20])], pa.large_string())}))
    scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=Decontaminate.scores)
    ratio = scores.column("contamination")[0].as_py()
    assert 0 < ratio < 5000
    context = StageContext(artefacts=stages["tulu"]._artefacts)
    for least, kept in ((ratio / 10_000, False), ((ratio + 1) / 10_000, True)):
        stage = Decontaminate(config_of(min_ratio=least), context)
        assert stage.decide(scores).keep.tolist() == [kept]


def test_frequent_ngrams_count_for_nothing(stages: dict[str, Decontaminate]) -> None:
    questions = [text for _, text in items("gsm8k", "question")[:2]]
    stage = stages["gpt3"]
    verdict = stage.apply(pa.record_batch({"text": pa.array(questions, pa.large_string())}))
    scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=stage.scores)
    grams = stage.occurrences(scores)
    first = stage.occurrences(scores.slice(0, 1))
    fresh = Decontaminate(config_of(rule="gpt3"), StageContext(artefacts=stage._artefacts))
    assert fresh.decide(scores).keep.tolist() == [False, False]
    fresh.surveyed(grams, np.where(np.isin(grams, first), 11, 10).astype(np.uint64))
    assert fresh.decide(scores).keep.tolist() == [True, False]
    fresh.surveyed(grams, np.where(grams == first[0], 11, 10).astype(np.uint64))
    decision = fresh.decide(scores)
    assert decision.keep.tolist() == [False, False]
    assert decision.rule is not None and decision.rule[0]["text"].as_py() == " ".join(questions[0].split()[1:14])
    assert not Decontaminate.surveys(config_of()) and not Decontaminate.surveys(
        config_of(rule="gpt3", max_documents=None)
    )


def test_each_document_is_told_its_first_ngram_that_is_not_frequent(stages: dict[str, Decontaminate]) -> None:
    """A batch with documents that hold nothing between those that do, and a slice of it."""
    one, other = (text for _, text in items("gsm8k", "question")[:2])
    stage = stages["gpt3"]
    verdict = stage.apply(pa.record_batch({"text": pa.array([None, one, "no item", other, one], pa.large_string())}))
    scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=stage.scores)
    fresh = Decontaminate(config_of(rule="gpt3"), StageContext(artefacts=stage._artefacts))
    lists = scores.column("contamination_ngrams").to_pylist()
    common = sorted(lists[1][:5])
    fresh.surveyed(np.array(common, np.uint64), np.full(len(common), 11, np.uint64))
    expected = [next((gram for gram in grams or () if gram not in common), None) for grams in lists]
    told = [None if gram is None else fresh._opened().source_of_key(gram).text for gram in expected]
    for start in (0, 2):
        rules = fresh.decide(scores.slice(start)).rule
        assert rules is not None
        assert [rule and rule["text"] for rule in rules.to_pylist()] == told[start:]
    assert [text is None for text in told] == [True, False, True, False, False]


def test_the_least_ratio_drops_no_document_without_a_hit(stages: dict[str, Decontaminate]) -> None:
    words = items("gsm8k", "question")[0][1].split()
    verdict = stages["tulu"].apply(
        pa.record_batch({"text": pa.array(["no item", " ".join(words[:9])], pa.large_string())})
    )
    scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=Decontaminate.scores)
    stage = Decontaminate(config_of(min_ratio=0.0001), StageContext(artefacts=stages["tulu"]._artefacts))
    assert stage.decide(scores).keep.tolist() == [True, False]
    with pytest.raises(ValidationError, match=r"greater than or equal to 0\.0001"):
        config_of(min_ratio=0.00001)


def test_nulls_and_empty_batches(stages: dict[str, Decontaminate]) -> None:
    for stage in stages.values():
        assert decided(stage, [None, ""]) == [None, None]  # type: ignore[list-item]
        assert decided(stage, []) == []


def test_parameters_that_cannot_work_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no benchmark is called so"):
        DecontaminateConfig.model_validate({"benchmarks": {"a": "x.txt"}, "fields": {"b": ["q"]}})
    with pytest.raises(ValidationError):
        DecontaminateConfig.model_validate({"benchmarks": {}})
    (tmp_path / "a.jsonl").write_text('{"q": "x"}\n')
    config = DecontaminateConfig.model_validate({"benchmarks": {"a": str(tmp_path / "a.jsonl")}, "fields": {"a": "p"}})
    with pytest.raises(ValueError, match="no text in field 'p' of its first 1 rows; there is 'q'"):
        Decontaminate.check_config(config)
    with pytest.raises(RuntimeError, match="prepare"):
        Decontaminate(config, StageContext()).open()
