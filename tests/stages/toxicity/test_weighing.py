"""Columns beside the logit, their sum, and the fit of their weights."""

from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.toxicity.tone import MEASURES
from lauter.stages.toxicity.training.second import fit_weights
from lauter.stages.toxicity.weighing import columns_of, weigh


def counts_of(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in MEASURES]


def test_a_long_text_counts_as_twenty_words_of_its_kind() -> None:
    counts = np.array([counts_of(blame=3, groups=1, words=20), counts_of(blame=12, groups=4, words=80)])
    short, long = np.stack(columns_of(np.zeros(2), np.zeros(2), counts, np.zeros(2, np.int64)), axis=1)
    assert np.array_equal(short, long)


def test_each_number_stands_alone_and_times_each() -> None:
    columns = columns_of(np.array([0.2]), np.array([-0.1]), np.array([counts_of(blame=2, words=4)]), np.array([1]))
    single = next(n for n in range(1, 40) if n + n * (n + 1) // 2 == len(columns))
    assert columns[0][0] == pytest.approx(0.6)
    assert columns[1][0] == pytest.approx(-0.3)
    assert columns[2][0] == pytest.approx(np.log(3))
    products = iter(columns[single:])
    for left in range(single):
        for right in range(left, single):
            assert next(products)[0] == columns[left][0] * columns[right][0]


def test_a_sum_does_not_depend_on_what_stands_beside() -> None:
    generator = np.random.default_rng(5)
    logit, of_kinds = generator.normal(size=(2, 50))
    counts = generator.integers(0, 90, (50, len(MEASURES)))
    marks = generator.integers(-1, 3, 50)
    columns = columns_of(logit, of_kinds, counts, marks)
    weights = generator.normal(size=len(columns)).tolist()
    together = weigh(columns, weights)
    alone = [
        weigh(columns_of(logit[one], of_kinds[one], counts[one], marks[one]), weights)[0]
        for one in (slice(i, i + 1) for i in range(50))
    ]
    assert together.tolist() == alone
    with pytest.raises(ValueError, match="need as many weights"):
        weigh(columns, weights[1:])


def test_weights_are_those_that_made_the_labels() -> None:
    generator = np.random.default_rng(7)
    table = generator.normal(size=(20_000, 3)) * [1, 2, 0.5]
    chance = 1 / (1 + np.exp(-(table @ [1.0, -0.5, 2.0] + 0.3)))
    positive = generator.random(20_000) < chance
    columns = [*table.T, np.ones(20_000)]
    found = fit_weights(columns, positive, np.ones(20_000), 1e-6)
    assert found[:3] == pytest.approx([1.0, -0.5, 2.0], abs=0.15)
    assert found[3] == 0
    assert all(weight * 65_536 == round(weight * 65_536) for weight in found)
    half = fit_weights(columns, positive, (np.arange(20_000) < 10_000).astype(np.float64), 1e-6)
    own = fit_weights([column[:10_000] for column in columns], positive[:10_000], np.ones(10_000), 1e-6)
    assert half == own
