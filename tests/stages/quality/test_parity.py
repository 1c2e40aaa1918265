"""The published thresholds decide on real English texts as datatrove's filters do.

What is left (8 of 927 texts) differs by intent. Ours leaves out blank lines (in datatrove's count they halve the share
of lines that end with an ellipsis), compares lines and looks at their ends without white space, matches stop words
without case and punctuation ("Of," is one), and has one score for characters in repeated lines. Repetition: none.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.quality import PUBLISHED, Quality, QualityConfig, Thresholds
from lauter.stages.quality.rules import RULES, Family
from tests.stages.quality.reference import datatrove_filters, english_texts

FAMILIES: tuple[Family, ...] = ("gopher-quality", "gopher-repetition", "fineweb-quality")


def kept(texts: list[str], config: QualityConfig) -> list[bool]:
    stage = Quality(config, StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    )
    scores = pa.RecordBatch.from_pydict(dict(stage.apply(batch).columns), schema=stage.scores)
    return [bool(each) for each in stage.decide(scores).keep]


def only(family: Family) -> QualityConfig:
    """PUBLISHED with the rules of one family; FineWeb's threshold on repeated lines goes with FineWeb."""
    others = {rule.threshold: None for rule in RULES if rule.family != family}
    shared = {"gopher-quality": None, "gopher-repetition": 0.2, "fineweb-quality": 0.01}[family]
    return PUBLISHED.model_copy(update={**others, "max_duplicate_line_char_ratio": shared})


@pytest.mark.slow
def test_the_published_thresholds_decide_as_datatrove() -> None:
    filters = datatrove_filters()
    from datatrove.data import Document

    texts = english_texts()
    theirs = {
        family: [reference.filter(Document(text=text, id="")) is True for text in texts]
        for family, reference in filters.items()
    }
    together = [all(verdicts) for verdicts in zip(*theirs.values(), strict=True)]
    assert 0.2 < sum(together) / len(texts) < 0.8  # both verdicts are common, so agreement says something
    agreed: dict[str, float] = {family: agreement(kept(texts, only(family)), theirs[family]) for family in FAMILIES}
    agreed["together"] = agreement(kept(texts, PUBLISHED), together)
    assert min(agreed.values()) >= 0.99, agreed


def agreement(ours: list[bool], theirs: list[bool]) -> float:
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)


def test_published_names_every_rule_of_both_papers() -> None:
    assert all(rule.limit(PUBLISHED) is not None for rule in RULES)
    assert {rule.threshold for rule in RULES} == set(Thresholds.model_fields)
