"""Score columns in natural units."""

from __future__ import annotations

import pytest

from lauter.pipeline.natural_units import natural


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("language_score", 8215, 0.8215),
        ("mean_word_length", 512, 5.12),
        ("top_ngram_ratios", [1000, 0, 10_000], [0.1, 0.0, 1.0]),
        ("top_languages", [{"language": "deu_Latn", "score": 9000}], [{"language": "deu_Latn", "score": 0.9}]),
        ("quality_classifier", 32768, 0.5),
        ("quality_classifier", 40435, 0.99944),
        ("embedding_scores", [32768, None], [0.5, None]),
        ("stop_words", 3, None),
        ("words", 7, None),
        ("toxicity", None, None),
        ("toxicity_model", 1, "lexicon"),
        ("of a stage of a user", 7, None),
    ],
)
def test_values(name: str, value: object, shown: object) -> None:
    assert natural(name, value) == shown
