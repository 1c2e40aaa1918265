"""Fits how sure an answer is, from its probability and how its words agree (`evidence.weigh.confidence`).

A model cannot be asked about languages that it does not know: of all that there is text in, it was trained. But one can
be taken from it. Each held-out line of running text is judged twice, as it is, and with its own label taken out of
question: then every answer is wrong, and looks as that to a text in an unknown language does. On both, which count the
same, a logistic regression finds the direction that tells right from wrong. Answers that a line is no language are left
out. A second one, on the lines as they are, sets its scale (J. Platt, Probabilistic outputs for support vector
machines, 1999), so that of known languages as many answers are right as is said.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.evidence.lists import SCALE, Weights, WordLists
from lauter.stages.language.evidence.weigh import measure
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.training.held_out import TEXT
from lauter.stages.language.training.material import Material

_LEAST_LINES = 200
"""Lines below which nothing is fitted, and probabilities stay what the model says."""
_LEAST_LABELS = 3
"""Labels of a script below which its lines are left out: with one label taken out, nothing is asked any more."""
_ROUNDS = 50
_RIDGE = 1e-3
"""L2 penalty, in the mean over lines. Of the second fit it is that of changing the first: where each answer is right,
nothing tells what the scale is."""
_SURE = 1e-6


def fit_confidence(material: Material, predictor: Predictor, lists: WordLists) -> WordLists:
    """The lists with weights that are fitted on the held-out lines of running text, in whole 1,024ths."""
    place = {label: index for index, label in enumerate(material.labels)}
    of_script = Counter(label[4:] for label in material.labels)
    held = [line for line in material.held if line.kind == TEXT and of_script[line.label[4:]] >= _LEAST_LABELS]
    gold = np.array([place[line.label] for line in held], np.int64)
    if len(held) < _LEAST_LINES:
        return lists
    texts = [line.text.encode() for line in held]
    data = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    script = np.array([label[4:] for label in material.labels])
    allowed = (script[gold][:, None] == script) | (script == "Zzzz")
    known = predictor.probabilities(data, offsets, allowed)
    unknown = known.copy()
    np.put_along_axis(unknown, gold[:, None], 0, axis=1)
    total = unknown.sum(axis=1, keepdims=True, dtype=np.float64)
    np.divide(unknown, total, out=unknown, where=total > 0, casting="same_kind")
    columns, right = [], []
    for probabilities, answer in ((known, gold), (unknown, np.full(len(gold), -2))):
        found = np.empty((len(gold), 4))
        measure(data, offsets, lists, probabilities, found)
        label = found[:, 0].astype(np.int64)
        counts = (label >= 0) & (lists.missing[label] < 0) & (script[label] != "Zzzz")
        columns.append(_columns(found[counts]))
        right.append((label == answer)[counts])
    weight = [np.full(len(rows), 1 / max(len(rows), 1)) for rows in columns]
    start = np.zeros(columns[0].shape[1])
    direction = logistic(np.concatenate(columns), np.concatenate(right), np.concatenate(weight), start)
    turned = columns[0] @ direction
    offset, scale = logistic(np.stack([np.ones(len(turned)), turned], axis=1), right[0], weight[0], np.array([0.0, 1]))
    direction = direction * scale
    direction[0] += offset
    return lists._replace(weights=Weights(lists.weights.among, *(np.rint(direction * SCALE) / SCALE).tolist()))


def _columns(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the log-odds are a sum of, shape (n, 4), in the order of `Weights`."""
    probability = np.clip(found[:, 1], _SURE, 1 - _SURE)
    log_odds = np.log(probability / (1 - probability))
    root = found[:, 3] ** (1 / 3)
    return np.stack([np.ones(len(found)), log_odds, found[:, 2] * root, root], axis=1)


def logistic(
    columns: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted logistic regression by Newton's method (D. R. Cox 1958).

    Args:
        columns: Shape (n, k).
        right: Shape (n,).
        weight: Shape (n,), above 0.
        start: Shape (k,): coefficients that a small penalty of the square of what differs holds to.

    Returns:
        The k coefficients.
    """
    found = start
    weight = weight / weight.sum()
    for _ in range(_ROUNDS):
        share = 1 / (1 + np.exp(-np.clip(columns @ found, -60, 60)))
        slope = columns.T @ (weight * (share - right)) + _RIDGE * (found - start)
        curve = (columns * (weight * share * (1 - share))[:, None]).T @ columns
        found = found - np.linalg.solve(curve + _RIDGE * np.eye(len(found)), slope)
    return found
