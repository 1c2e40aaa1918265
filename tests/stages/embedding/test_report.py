"""What the heads say in the report."""

from __future__ import annotations

from typing import Any

from lauter.stages.embedding.config import EmbeddingConfig
from lauter.stages.embedding.report import embedding_report

HEADS = {"weights": "m.onnx", "tokenizer": "t", "heads": {"quality": ["q"], "toxicity": ["t", "u"]}}
PREPARED = {"quality: deu_Latn": 1, "toxicity: deu_Latn": 1, "toxicity: fra_Latn": 1}


def summary(**languages: int) -> dict[str, Any]:
    rows = (
        ("embedding", "keep_best", "quality", 7),
        ("embedding", "max_score", "toxicity", 2),
        ("quality", "gopher-quality", "-", 9),
    )
    names = ("stage", "signal", "agent", "records")
    rules = [dict(zip(names, row, strict=True)) for row in rows]
    return {
        "evidence": {"rules": rules},
        "languages": {label: {"records": count} for label, count in {"-": 5, **languages}.items()},
    }


def test_limits_drops_and_languages_without_a_head() -> None:
    decisions = {"quality": {"keep_best": 0.33, "languages": {"deu_Latn": {"keep_best": 0.1}}, "min_documents": 50}}
    config = EmbeddingConfig.model_validate(HEADS | {"decisions": decisions})
    section = embedding_report(summary(deu_Latn=90, fra_Latn=10, rus_Cyrl=3), PREPARED, config)
    heads, unknown = section.tables
    assert heads.rows == (
        ("quality", "the best 0.33 of a language; deu_Latn: the best 0.1 of a language", 1, 2, 7),
        ("toxicity", "all (only scored)", 2, 1, 2),
    )
    assert unknown.rows == (("quality", "fra_Latn", 10), ("quality", "rus_Cyrl", 3), ("toxicity", "rus_Cyrl", 3))
    assert section.warnings == (
        "The head 'quality' knows none of 2 languages with 13 records (fra_Latn, rus_Cyrl): their documents were not"
        " judged by it and were kept.",
    )
    assert "9 documents were dropped by their scores" in section.sentences[0]
    assert "with 50 documents or more" in section.answers["3.3"][0]


def test_nothing_to_warn_of() -> None:
    limits = {"min_score": 0.1, "max_score": 0.9, "keep_lowest": 0.95}
    config = EmbeddingConfig.model_validate(HEADS | {"decisions": {"quality": limits}})
    section = embedding_report(summary(deu_Latn=1), PREPARED, config)
    assert section.warnings == ()
    told = section.tables[0].rows[0][1]
    assert told == "probabilities from 0.1, probabilities up to 0.9, the lowest 0.95 of a language"
