from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.language.combine import best_only, combine


def combined(
    probabilities: list[list[float]], weights: list[int], say: list[float]
) -> tuple[list[int], list[float], list[int], float]:
    """Labels of one document of these units in order, their mass, their voters, and the first one's own mass."""
    size = len(say)
    labels, second = np.full((1, size), -1, np.int32), np.full(1, -1, np.int32)
    mass, voters, own, share = np.zeros((1, size)), np.zeros((1, size), np.int64), np.zeros(1), np.zeros(1)
    each, bounds = np.array(weights), np.array([0, len(weights)])
    units = np.array(probabilities, np.float32)
    combine(units, each, each, bounds, np.ones(size, np.bool_), np.array(say), labels, mass, voters, own, second, share)
    return labels[0].tolist(), mass[0].tolist(), voters[0].tolist(), float(own[0])


def test_a_label_that_counts_half_loses_to_one_with_more_than_half_its_mass() -> None:
    units, weights = [[0.9, 0.1], [0.2, 0.8]], [10, 10]
    assert combined(units, weights, [1, 1])[0] == [0, 1]
    labels, mass, voters, own = combined(units, weights, [0.5, 1])
    assert labels == [1, 0]
    assert mass == pytest.approx([9, 11]), "the mass is told in full"
    assert voters == [10, 10]
    assert own == pytest.approx(8), "the first one's own units"
    assert combined(units, [30, 10], [0.5, 1])[0] == [0, 1]


def test_what_stands_alone_counts_in_full() -> None:
    for weights in ([10], [10, 0]):
        units = [[0.6, 0.4], [0.0, 1.0]][: len(weights)]
        labels, mass, voters, own = combined(units, weights, [0.5, 1])
        assert labels == [0, 1]
        assert mass == pytest.approx([6, 4])
        assert voters == [10, 0]
        assert own == pytest.approx(6)


def test_what_is_no_language_is_no_second_language() -> None:
    labels, second = np.full((1, 1), -1, np.int32), np.full(1, -1, np.int32)
    mass, voters, share = np.zeros((1, 1)), np.zeros((1, 1), np.int64), np.zeros(1)
    probabilities = np.array([[0.9, 0.1, 0], [0, 0.9, 0], [0, 0, 0.4]], np.float32)
    letters, bounds = np.array([5, 4, 3]), np.array([0, 3])
    for is_language, expected in (([True, True, True], (1, 4 / 12)), ([True, False, True], (-1, 0))):
        labels[:], second[:], share[:] = -1, -1, 0
        say, own = np.ones(3), np.zeros(1)
        parts = labels, mass, voters, own, second, share
        combine(probabilities, letters, letters, bounds, np.array(is_language), say, *parts)
        assert (int(second[0]), float(share[0])) == pytest.approx(expected)
    assert (labels[0, 0], voters[0, 0]) == (0, 5)
    assert mass[0, 0] == pytest.approx(4.5)


def test_a_vote_is_for_the_first_of_the_best() -> None:
    found = best_only(np.array([[0.2, 0.4, 0.4], [0, 0, 0]], np.float32))
    assert found.tolist() == [[0, np.float32(0.4), 0], [0, 0, 0]]
