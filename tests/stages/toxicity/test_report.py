from __future__ import annotations

from typing import Any

import pytest

from lauter.stages.toxicity.stage import Toxicity, ToxicityConfig


def summary(**languages: int) -> dict[str, Any]:
    rule = {"stage": "toxicity", "reason": "toxic", "signal": "toxicity by lexicon", "agent": "-", "records": 1200}
    return {
        "funnel": [{"stage": "toxicity", "records": 1500, "ended": 1234}],
        "languages": {label: {"records": count} for label, count in languages.items()},
        "codes": {"toxicity_model": {1: 4000, 2: 900, 3: 100}},
        "evidence": {"rules": [rule, {**rule, "reason": "toxic-share", "records": 34}]},
    }


def test_the_section_names_filter_threshold_and_count() -> None:
    section = Toxicity.report(summary(deu_Latn=1), {}, ToxicityConfig(model="lexicon", max_score=0.25))
    (told,) = section.answers["3.2"]
    assert "lists of swear words" in told
    assert told.endswith("1,234 above 0.25 were dropped.")
    assert dict(section.facts) == {
        "model": "lexicon", "documents dropped": "above 0.25", "dropped by lexicon": "1,234",
        "judged by lexicon": "4,000", "judged by embedded": "900", "judged by detoxify": "100",
    }  # fmt: skip
    assert len(section.sentences) == 1
    assert not section.tables


def test_languages_that_nobody_judged_are_listed_and_told() -> None:
    section = Toxicity.report(summary(deu_Latn=900, swh_Latn=70, sme_Latn=80), {}, ToxicityConfig())
    (table,) = section.tables
    assert table.rows == (("sme_Latn", 80), ("swh_Latn", 70))
    told = section.sentences[1]
    assert "2 languages with 150 records (sme_Latn, swh_Latn)" in told
    assert "not judged" in told


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({}, "above 0.9 (0.5 of word lists)"),
        ({"model": "lexicon"}, "above 0.5"),
        ({"keep_lowest": 0.95}, "languages with 100 or more)"),
        ({"keep_lowest": 0.95, "max_score": 0.9}, "languages with 100 or more) or above 0.9"),
    ],
)
def test_the_limit_is_told_with_its_population(config: dict[str, Any], limit: str) -> None:
    section = Toxicity.report(summary(), {}, ToxicityConfig.model_validate(config))
    facts: dict[str, Any] = dict(section.facts)
    assert facts["documents dropped"].endswith(limit)


def test_a_cascade_is_told() -> None:
    files = {"checkpoint": "a", "encoder_config": "b", "tokenizer": "c"}
    config = ToxicityConfig.model_validate({"model": "detoxify", "cascade": [0.2, 0.9], **files})
    section = Toxicity.report(summary(), {}, config)
    assert "Of 1,000 documents that were judged Detoxify was shown 100 (10.0 %)" in section.sentences[1]
    assert len(Toxicity.report({**summary(), "codes": {}}, {}, config).sentences) == 1
    (told,) = section.answers["3.2"]
    assert "Detoxify classifier gives where the embedded classifier finds between 0.2 and 0.9" in told


def test_a_cascade_judges_the_languages_of_both_models() -> None:
    files = {"checkpoint": "a", "encoder_config": "b", "tokenizer": "c"}
    alone = ToxicityConfig.model_validate({"model": "detoxify", **files})
    both = ToxicityConfig.model_validate({"model": "detoxify", "cascade": [0.2, 0.9], **files})
    counts = summary(deu_Latn=5, rus_Cyrl=4, swh_Latn=3)
    assert Toxicity.report(counts, {}, alone).tables[0].rows == (("deu_Latn", 5), ("swh_Latn", 3))
    assert Toxicity.report(counts, {}, both).tables[0].rows == (("swh_Latn", 3),)
