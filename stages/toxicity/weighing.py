"""What two classifiers say of a text, weighed with its tone: a logistic regression over few numbers.

The numbers are the logits and logarithms of what `tone.MEASURES` counts, each alone and each times each. So
praise of a group, blame of a group and blame of a thing are three, whatever the words. A text of more than twenty words
counts as twenty of its kind: windows of pages are longer than the posts that the weights are learned from, and hold
more of everything. Sums go column by column, and logarithms come from a table, so that a score does not depend on the
texts beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lauter.stages.toxicity.tone import MEASURES

_LENGTH = 20
"""Words of a text as the weights know it. With all words counted, the threshold that no ordinary page passes had 5 of
100 toxic posts above it; so it has 20."""
_PART = 16
"""Scaled counts are in this part of one."""
_LOGARITHMS = np.log1p(np.arange(256 * _PART) / _PART)
_STEEP = 3.0
_FURTHEST = 3.0
"""Logits, which lie between -1 and 1 for most texts, are multiplied by one and cut at the other."""


def columns_of(
    logit: NDArray[np.float64],
    of_kinds: NDArray[np.float64],
    counts: NDArray[np.int64],
    marks: NDArray[np.int64],
) -> list[NDArray[np.float64]]:
    """The numbers that are weighed, each of shape (n,).

    Args:
        logit: Shape (n,): of the classifier.
        of_kinds: Shape (n,): of the model of pairs of kinds.
        counts: Shape (n, measures): of `tone.take_tone`.
        marks: Shape (n,): of `embedded.marks_of`.
    """
    words = counts[:, MEASURES.index("words")]
    scaled = counts * (_LENGTH * _PART) // np.maximum(words, _LENGTH)[:, None]
    of = {name: scaled[:, place] for place, name in enumerate(MEASURES)}
    short = np.clip(words, 1, _LENGTH)
    root = np.sqrt(short)
    blame, praise = _logarithm(of["blame"]), _logarithm(of["praise"])
    single = [
        np.clip(_STEEP * logit, -_FURTHEST, _FURTHEST), np.clip(_STEEP * of_kinds, -_FURTHEST, _FURTHEST),
        blame, praise, blame / root, praise / root,
        _logarithm(of["negated_blame"]), _logarithm(of["negated_praise"]), _logarithm(of["negators"]),
        _logarithm(of["groups"]), np.minimum(of["groups"], _PART) / _PART,
        _logarithm(short * _PART), (of["quotes"] > 0).astype(np.float64), (marks > 0).astype(np.float64),
    ]  # fmt: skip
    return [*single, *_products(single)]


def weigh(columns: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """The sum of columns times weights, shape (n,), added in their order.

    Raises:
        ValueError: There are more or fewer weights than columns.
    """
    if len(columns) != len(weights):
        raise ValueError(f"{len(columns)} columns need as many weights, not {len(weights)}: train the model anew")
    total = np.zeros(len(columns[0]))
    for column, weight in zip(columns, weights, strict=True):
        total += weight * column
    return total


def _products(single: Sequence[NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
    for place, left in enumerate(single):
        for right in single[place:]:
            yield left * right


def _logarithm(count: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = _LOGARITHMS[np.minimum(count, len(_LOGARITHMS) - 1)]
    return found
