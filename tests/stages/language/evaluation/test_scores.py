"""Scores against a plain count, text by text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.language.evaluation.scores import calibration_error, confusions, reliability, summarise, tally

LABELS = 5
PAIRS = st.lists(st.tuples(st.integers(0, LABELS - 1), st.integers(-1, LABELS - 1)), min_size=1, max_size=40)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([gold for gold, _ in pairs], np.int32), np.array([answer for _, answer in pairs], np.int32)


@given(PAIRS)
@settings(max_examples=80)
def test_equal_to_counting(pairs: list[tuple[int, int]]) -> None:
    found = summarise(tally(*columns(pairs), LABELS))
    labels = sorted({gold for gold, _ in pairs})
    f1, precisions, recalls, rates = [], [], [], []
    for label in labels:
        right = sum(gold == answer == label for gold, answer in pairs)
        wrong = sum(gold != label and answer == label for gold, answer in pairs)
        texts = sum(gold == label for gold, _ in pairs)
        precision = right / (right + wrong) if right + wrong else 0.0
        recall = right / texts
        precisions.append(precision)
        recalls.append(recall)
        f1.append(2 * precision * recall / (precision + recall) if right else 0.0)
        rates.append(wrong / (len(pairs) - texts) if len(pairs) > texts else 0.0)
    assert (found.texts, found.labels) == (len(pairs), len(labels))
    assert found.accuracy == pytest.approx(sum(gold == answer for gold, answer in pairs) / len(pairs))
    assert found.macro_f1 == pytest.approx(np.mean(f1))
    assert found.macro_precision == pytest.approx(np.mean(precisions))
    assert found.macro_recall == pytest.approx(np.mean(recalls))
    assert found.false_positive_rate == pytest.approx(np.mean(rates))


@given(PAIRS)
@settings(max_examples=40)
def test_confusions_are_all_wrong_answers(pairs: list[tuple[int, int]]) -> None:
    wrong = Counter((gold, answer) for gold, answer in pairs if gold != answer and answer >= 0)
    found = confusions(*columns(pairs), LABELS, 100)
    assert {(gold, answer): texts for gold, answer, texts in found} == dict(wrong)
    assert found == sorted(found, key=lambda row: (-row[2], row[0], row[1]))
    assert confusions(*columns(pairs), LABELS, 1) == found[:1]


def test_only_some_labels() -> None:
    gold, answers = columns([(0, 0), (0, 1), (1, 1), (2, 0)])
    found = summarise(tally(gold, answers, LABELS), np.array([True, False, False, False, True]))
    assert (found.texts, found.labels, found.accuracy) == (2, 1, 0.5)
    # The wrong answer for a text of label 2 counts.
    assert found.macro_precision == 0.5
    assert summarise(tally(gold, answers, LABELS), np.zeros(LABELS, bool)).texts == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
@settings(max_examples=80)
def test_calibration_error_is_that_of_guo_and_others(answers: list[tuple[bool, float]]) -> None:
    right = np.array([is_right for is_right, _ in answers])
    probability = np.array([value for _, value in answers])
    bins = reliability(right, probability)
    assert sum(found.texts for found in bins) == len(answers)
    expected = 0.0
    for place in range(15):
        # Half-open to the left, as in the paper: ((m - 1) / M, m / M]; 0 goes with the first.
        chosen = [pair for pair in answers if max(int(np.ceil(pair[1] * 15)) - 1, 0) == place]
        if chosen:
            accuracy = sum(is_right for is_right, _ in chosen) / len(chosen)
            expected += len(chosen) / len(answers) * abs(accuracy - sum(value for _, value in chosen) / len(chosen))
    assert calibration_error(bins) == pytest.approx(expected)


def test_sure_and_right_is_calibrated() -> None:
    assert calibration_error(reliability(np.ones(4, bool), np.ones(4))) == 0
    assert calibration_error(reliability(np.zeros(4, bool), np.ones(4))) == 1
    assert calibration_error([]) == 0
