"""What the thresholds of a label come to, rule by rule."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.quality import Quality, QualityConfig
from lauter.stages.thresholds.derived import COLUMNS, DERIVED, MOST_DROPPED, quality_of
from lauter.stages.thresholds.histograms import Histograms


def histograms_of(scores: dict[str, list[int]], label: str = "deu_Latn") -> Histograms:
    """Histograms of documents of English, whose scores are all 0, and of a label."""
    histograms = Histograms(COLUMNS)
    for name, rows in (("eng_Latn", {}), (label, scores)):
        count = max(map(len, scores.values()))
        columns: dict[str, pa.Array] = {}
        for column in COLUMNS:
            if "[" not in column:
                columns[column] = pa.array(rows.get(column, [0] * count), pa.uint16())
        for column, orders in (("top_ngram_ratios", 3), ("duplicate_ngram_ratios", 6)):
            values = np.repeat(rows.get(column, [0] * count), orders).astype(np.uint16)
            columns[column] = pa.FixedSizeListArray.from_arrays(pa.array(values), orders)
        histograms.add(pa.array([name] * count), columns)
    return histograms


def test_a_tail_of_nothing_drops_nothing() -> None:
    scores = {"newline_ratio": [*range(100, 1100, 100)]}
    found = [quality_of(histograms_of(scores), "deu_Latn", tail=share)["max_newline_ratio"] for share in (0.0, 0.1)]
    assert found == [0.1, 0.09]


def test_thresholds_of_zero_are_thresholds() -> None:
    found = quality_of(histograms_of({"newline_ratio": [0] * 4}), "deu_Latn", method="tail")
    assert found["max_duplicate_ngram_ratios"] == [0.0] * 6
    assert found.keys() == {rule.threshold for rule in DERIVED}


def test_no_rule_drops_more_than_a_quarter_of_what_it_was_made_from() -> None:
    scores = {"duplicate_line_ratio": [9000] * 3 + [10] * 5}
    histograms = histograms_of(scores)
    found = quality_of(histograms, "deu_Latn", method="tail", tail=0.5)["max_duplicate_line_ratio"]
    assert sum(score > found * 10_000 for score in scores["duplicate_line_ratio"]) <= MOST_DROPPED * 8


def test_a_label_without_a_score_has_no_threshold_from_it() -> None:
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    yi = pa.array(["ꀀꀁꀂꀃꀄ" * 40] * 3, pa.large_string())
    label = pa.array(["iii_Yiii"] * 3)
    histograms = Histograms(COLUMNS)
    histograms.add(label, stage.apply(pa.RecordBatch.from_pydict({"text": yi, "language": label})).columns)
    found = quality_of(histograms, "iii_Yiii", method="tail")
    assert "max_newline_ratio" in found and "min_mean_word_length" not in found
