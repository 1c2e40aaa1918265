"""The published thresholds decide on real English texts as datatrove's filters do: on all of 927.

On texts in all scripts (`benchmarks/gates/filters.py`) 3 of 4,038 differ, by intent: in scripts without spaces Lauter
counts no space between the words of an n-gram (2), and scores are ten-thousandths, rounded (1). So do texts in scripts
that nothing cuts into words, such as Javanese.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.quality import PUBLISHED, Quality, QualityConfig, Thresholds
from lauter.stages.quality.rules import RULES, Family
from lauter.stages.quality.thresholds import C4Lines
from tests.stages.quality.reference import READINGS, STOP_WORDS, datatrove_filters, english_texts

FAMILIES: tuple[Family, ...] = ("gopher-quality", "gopher-repetition", "fineweb-quality", "c4")


def kept(texts: list[str], config: QualityConfig) -> list[bool]:
    stage = Quality(config, StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    )
    scores = pa.RecordBatch.from_pydict(dict(stage.apply(batch).columns), schema=stage.scores)
    return [bool(each) for each in stage.decide(scores).keep]


def only(family: Family, stop_words: str) -> QualityConfig:
    """PUBLISHED with the rules of one family; the threshold of repeated lines has a value of each paper.

    Stop words are MassiveText's eight, as they are written.
    """
    others = {rule.threshold: None for rule in RULES if rule.family != family}
    shared = {"gopher-repetition": 0.2, "fineweb-quality": 0.01}.get(family)
    c4 = {"min_c4_sentences": 5, "max_lorem_ipsum_lines": 0, "max_curly_bracket_lines": 0, "c4": C4Lines()}
    words = {"stop_words": stop_words, "exact_stop_words": True, "max_duplicate_line_char_ratio": shared}
    return PUBLISHED.model_copy(update={**others, **words, **(c4 if family == "c4" else {})})


@pytest.fixture(scope="module")
def stop_words(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("words") / "words.yaml"
    path.write_text(f"format: 1\nlabels:\n  eng_Latn: {{stop_words: [{', '.join(sorted(STOP_WORDS))}]}}\n")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_published_thresholds_decide_as_datatrove(family: Family, stop_words: str) -> None:
    texts = english_texts()[::3]  # All of them, and other scripts: `benchmarks/gates/filters.py`.
    theirs = [READINGS[family](text) for text in texts]
    assert 0.02 < theirs.count(False) / len(texts) < 0.8  # both verdicts occur, so agreement says something
    ours = kept(texts, only(family, stop_words))
    assert agreement(ours, theirs) >= 0.999, [n for n, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]


@pytest.mark.slow
def test_the_reading_of_datatrove_is_datatrove() -> None:
    filters = datatrove_filters()
    from datatrove.data import Document

    texts = english_texts()
    for family, reference in filters.items():
        theirs = [reference.filter(Document(text=text, id="")) is True for text in texts]
        assert agreement([READINGS[family](text) for text in texts], theirs) == 1.0, family


def agreement(ours: list[bool], theirs: list[bool]) -> float:
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)


def test_published_names_every_rule_of_gopher_and_fineweb_and_none_of_c4() -> None:
    assert all((rule.limit(PUBLISHED) is not None) == (rule.family != "c4") for rule in RULES)
    assert {rule.threshold for rule in RULES} == set(Thresholds.model_fields)
