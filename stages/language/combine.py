"""The labels of documents from those of their units, on how they are weighed and what a vote is see `identify`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

# Probability from which a unit has a say in what a second language is: a doubtful line is no evidence of one.
_SURE = 0.5


def best_only(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row the first of its greatest values, and 0 for all others."""
    best = probabilities.argmax(axis=1, keepdims=True)
    found = np.zeros_like(probabilities)
    np.put_along_axis(found, best, np.take_along_axis(probabilities, best, axis=1), axis=1)
    return found


@kernel
def combine(
    probabilities: NDArray[np.float32],
    weights: NDArray[np.int64],
    letters: NDArray[np.int64],
    bounds: NDArray[np.int64],
    is_language: NDArray[np.bool_],
    say: NDArray[np.float64],
    labels: NDArray[np.int32],
    mass: NDArray[np.float64],
    voters: NDArray[np.int64],
    own_mass: NDArray[np.float64],
    second: NDArray[np.int32],
    share: NDArray[np.float64],
) -> None:
    """The labels of documents from those of their units.

    Args:
        probabilities: Shape (u, m): of each label for each unit.
        weights: Shape (u,): weight of each unit in the choice of labels; one of 0 has no say.
        letters: Shape (u,): its letters.
        bounds: Shape (n + 1,): units of each document.
        is_language: Shape (m,): whether a label is a language, and not `und_` or `zxx_`.
        say: Shape (m,): what a label counts in the choice for a document of two units or more, above 0.
        labels: Shape (n, k), -1: filled with the labels of most mass. Of two that are equal the first wins.
        mass: Shape (n, k), 0: filled with the sum of their probabilities, each times the weight of its unit.
        voters: Shape (n, k), 0: filled with the weights of the units in which each label is the best.
        own_mass: Shape (n,), 0: filled with the part of the first label's mass that is of the units that answer it.
        second: Shape (n,), -1: filled with the language that is best in units of most letters, besides the first.
        share: Shape (n,), 0: filled with its share of the letters of all units.
    """
    size = probabilities.shape[1]
    total, own = np.zeros(size), np.zeros(size)
    votes, sure = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for row in range(len(bounds) - 1):
        total[:] = 0
        own[:] = 0
        votes[:] = 0
        sure[:] = 0
        heard, units = 0, 0
        for unit in range(bounds[row], bounds[row + 1]):
            units += weights[unit] > 0
        for unit in range(bounds[row], bounds[row + 1]):
            if weights[unit] == 0:
                continue
            heard += letters[unit]
            top = 0
            for label in range(size):
                told = say[label] if units > 1 else 1.0
                total[label] += weights[unit] * probabilities[unit, label] * told
                if probabilities[unit, label] > probabilities[unit, top]:
                    top = label
            votes[top] += weights[unit]
            own[top] += weights[unit] * probabilities[unit, top]
            if probabilities[unit, top] >= _SURE and is_language[top]:
                sure[top] += letters[unit]
        for place in range(labels.shape[1]):
            top = 0
            for label in range(size):
                if total[label] > total[top]:
                    top = label
            if total[top] == 0:
                break
            labels[row, place], voters[row, place] = top, votes[top]
            mass[row, place] = total[top] / say[top] if units > 1 else total[top]
            total[top] = 0
        if labels[row, 0] >= 0:
            own_mass[row] = own[labels[row, 0]]
        for label in range(size):
            if label != labels[row, 0] and sure[label] > 0 and (second[row] < 0 or sure[label] > sure[second[row]]):
                second[row] = label
        if second[row] >= 0:
            share[row] = sure[second[row]] / heard
