"""Thresholds of a run: clip(median - standard deviation) of each label's own scores, from counts alone."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.labels.support import Support
from lauter.stages.language.least_score import counted, key_of, label_of, of_file, of_run, of_table, quantised

LABELS = st.sampled_from(["deu_Latn", "zul_Latn", "cmn_Hani", "und_Latn", "zxx_Zzzz", None])
ROWS = st.lists(st.tuples(LABELS, st.none() | st.integers(0, 10_000)), max_size=60)


def batch(rows: list[tuple[str | None, int | None]]) -> pa.RecordBatch:
    labels, scores = [label for label, _ in rows], [score for _, score in rows]
    return pa.record_batch({"language": pa.array(labels, pa.string()), "language_score": pa.array(scores, pa.uint16())})


@given(ROWS, st.integers(1, 5))
def test_equals_fineweb_2_on_the_scores_themselves(rows: list[tuple[str | None, int | None]], least: int) -> None:
    number, documents = np.unique(counted(batch(rows)), return_counts=True)
    found = of_run(number, documents.astype(np.uint64), (0.3, 0.9), least)
    own: dict[str, list[float]] = {}
    for label, score in rows:
        if label is not None and score is not None and not label.startswith(("und_", "zxx_")):
            own.setdefault(label, []).append(score / 10_000)
    assert found.keys() == {label for label, scores in own.items() if len(scores) >= least}
    for label, threshold in found.items():
        exact = min(max(statistics.median(own[label]) - statistics.pstdev(own[label]), 0.3), 0.9)
        assert threshold / 10_000 == pytest.approx(exact, abs=0.0011)  # a bin is a thousandth


def test_the_order_of_documents_and_their_parts_have_no_say() -> None:
    rows: list[tuple[str | None, int | None]] = [("deu_Latn", score) for score in range(4000, 9000, 7)]
    rows += [("fra_Latn", 10_000), ("fra_Latn", 0)]
    whole = np.sort(counted(batch(rows)))
    parts = np.concatenate([counted(batch(rows[300:])), counted(batch([])), counted(batch(rows[:300]))])
    assert (np.sort(parts) == whole).all()


@given(st.from_regex(r"[a-z]{3}_[A-Z][a-z]{3}", fullmatch=True))
def test_a_label_is_a_number(label: str) -> None:
    assert 0 < key_of(label) < 2**64 // 1001
    assert label_of(key_of(label)) == label


def test_another_file_in_the_same_place_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "languages.yaml"
    path.write_text("format: 1\nlabels:\n  deu_Latn: {language_score: 0.81249, documents: 5}\n  fra_Latn: {}\n")
    assert of_file(str(path)) == {"deu_Latn": 8125}
    path.write_text("format: 1\nlabels:\n  deu_Latn: {language_score: 0.5}\n")
    assert of_file(str(path)) == {"deu_Latn": 5000}
    assert [quantised(value) for value in (0, 0.12345, 1)] == [0, 1234, 10_000]


def test_a_document_needs_what_the_table_says_of_documents() -> None:
    assert of_table(Support("deu_Latn", "well", "running-text", 0.99, "", {}, "A", 0.5)) == 5000
    assert of_table(Support("deu_Latn", "words", "word-types", 0.5, "", {}, "D", 0.9712)) == 9712


def test_a_label_that_no_table_has_needs_the_least_of_fineweb_2() -> None:
    assert of_table(None) == 3000
