"""Word evidence equals its formula, label by label and word by word, and never depends on the other texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lauter.stages.language.evidence.lists import STEP, Weights, WordLists, of_entries
from lauter.stages.language.evidence.weigh import hash_text, key_of, measure, weigh

WORDS = {0: {"und": 7, "der": 4}, 1: {"le": 9, "und": 1}}
WEIGHTS = Weights(1.5, 0.25, 0.5, 0.75, -0.5)
EXPECTED = (3.0, 2.0, 0.0)
TEXTS = ["und der hund", "le chat", "xq zk", "", "und le der und"]


def buffers(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.frombuffer("".join(texts).encode(), np.uint8), np.cumsum([0, *map(len, texts)]).astype(np.int64)


def lists() -> WordLists:
    """Of three labels, the last without a list."""
    found = {}
    for label, words in WORDS.items():
        for word, step in words.items():
            data, _ = buffers([word])
            hashes = np.empty(4, np.uint64)
            assert hash_text(data, 0, len(data), hashes) == 1
            found[int(key_of(hashes[0], label, 24))] = step
    keys = sorted(found)
    steps = np.array([found[key] for key in keys], np.uint8)
    missing, expected = np.array([100, 50, 0], np.uint16), (100 * np.array(EXPECTED)).astype(np.uint16)
    return of_entries(np.array(keys, np.uint32), steps, 24, missing, expected, WEIGHTS)


def plain(text: str, row: list[float]) -> list[float]:
    """By the docstring."""
    words, among = text.split(), [label for label, value in enumerate(row) if value >= max(row) / 2**14 and value > 0]
    if not words or not among:
        return row
    lacks = [-1.0, -0.5, 0.0]
    steps = {label: [WORDS.get(label, {}).get(word, 0) for word in words] for label in among}
    known = max(sum(step > 0 for step in each) for each in steps.values())
    evidence = {label: len(words) * lacks[label] + STEP * sum(steps[label]) for label in among}
    shares = {a: row[a] * math.exp(WEIGHTS.among * evidence[a] * known / len(words) ** 1.5) for a in among}
    mass = sum(row[label] for label in among)
    row = [mass * shares[a] / sum(shares.values()) if a in shares else value for a, value in enumerate(row)]
    best = max(among, key=lambda label: row[label])
    if lacks[best] == 0:
        return row
    old = min(max(row[best], 1e-6), 1 - 1e-6)
    agreed, root = min(STEP * sum(steps[best]) / len(words) / EXPECTED[best], 1), len(words) ** (1 / 3)
    odds = WEIGHTS.constant + WEIGHTS.log_odds * math.log(old / (1 - old)) + WEIGHTS.agreement * agreed * root
    odds += WEIGHTS.words * root
    new = 1 / (1 + math.exp(-odds))
    others = min(new / old, (1 - new) / (1 - old))
    return [new if label == best else value * others for label, value in enumerate(row)]


@pytest.mark.parametrize("row", [[0.5, 0.3, 0.2], [0.01, 0.98, 0.01], [0.1, 0.1, 0.8], [0, 0, 0], [1, 0, 0]])
def test_equals_its_formula_and_no_result_depends_on_the_batch(row: list[float]) -> None:
    data, offsets = buffers(TEXTS)
    together = np.array([row] * len(TEXTS), np.float32)
    weigh(data, offsets, lists(), together)
    for place, text in enumerate(TEXTS):
        assert together[place] == pytest.approx(plain(text, row), abs=1e-6), text
        alone = np.array([row], np.float32)
        weigh(*buffers([text]), lists(), alone)
        assert (alone[0] == together[place]).all()
        assert alone.sum() <= 1 + 1e-6


def test_words_that_a_label_has_speak_for_it() -> None:
    found = np.empty((2, 4))
    measure(*buffers(["und der xq", "le"]), lists(), np.array([[0.5, 0.5, 0]] * 2, np.float32), found)
    assert found[:, 0].tolist() == [0, 1]
    assert found[:, 3].tolist() == [3, 1]
    assert found[0, 2] == pytest.approx(11 * STEP / 3 / EXPECTED[0])
    assert found[1, 2] == 1


def test_the_same_agreement_says_more_of_a_long_text() -> None:
    texts, row = ["und der " * 2 + "xq " * 6, "und der " * 12 + "xq " * 36], np.array([[0.9, 0.1, 0]] * 2, np.float32)
    found = np.empty((2, 4))
    measure(*buffers(texts), lists(), row.copy(), found)
    assert found[0, 2] == pytest.approx(found[1, 2])
    for agreement, longer_is_surer in ((3.0, True), (0.0, False)):
        weights = Weights(0, 0, 1, agreement, -0.5)
        judged = row.copy()
        weigh(*buffers(texts), lists()._replace(weights=weights), judged)
        assert (judged[1, 0] > judged[0, 0]) is np.bool_(longer_is_surer)
