"""The labels of texts and their probabilities by a fastText model, for whole batches and without the library.

Answers are those of fastText's `predict` on the text as one line: the same labels in the same order, probabilities to
1e-4 (fastText adds 1e-5 to each). They do not depend on the size of a batch, on what was asked before, or on the
machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.fasttext.features import features_of, mean_rows, memory_for
from lauter.stages.language.fasttext.output import (
    branches,
    build_tree,
    leaves,
    multiply,
    packed,
    sigmoid_table,
    sigmoids,
    softmax,
)
from lauter.stages.language.fasttext.ranking import rank, rank_leaves
from lauter.stages.language.fasttext.read import Model

_TEXTS = 64
"""Texts at a time: their scores for 2,000 labels stay in the second-level cache."""
_ANY = np.empty((0, 0), np.bool_)
_ANY.setflags(write=False)


class Answers(NamedTuple):
    """The k most probable labels of n texts, most probable first."""

    labels: NDArray[np.int32]
    """Shape (n, k): index into the model's labels, -1 where there is none."""
    probabilities: NDArray[np.float32]
    """Shape (n, k): 0 where there is none."""


class Predictor:
    """A model that is ready to answer, asked by one thread at a time.

    It remembers the sums of 131,072 words: 75 MB where a row has 128 numbers, 142 MB where it has 256.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._features = features_of(model)
        self._memory = memory_for(model)
        self._weights = packed(model.output)
        self._table = sigmoid_table()
        self._tree = build_tree(model.label_counts) if model.loss == "hs" else None

    def probabilities(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """The probability of each label for each text.

        Args:
            data: UTF-8 bytes of all texts.
            offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
            allowed: Shape (n, labels), or (labels,) for all texts: labels that a text may have. The others get 0, and
                these the probability under the condition that it is one of them (softmax and hs; those of ova and ns
                stand each for itself).

        Returns:
            Shape (n, labels). A text without a feature that the model knows, or without an allowed label, has all 0.

        Raises:
            ValueError: `allowed` has another shape, or the model's numbers are no numbers.
        """
        result = np.zeros((len(offsets) - 1, len(self.model.labels)), np.float32)
        masks = self._masks(allowed, len(result))
        for first in range(0, len(result), _TEXTS):
            part = result[first : first + _TEXTS]
            answered = self._scores(data, offsets[first : first + len(part) + 1], part)
            self._to_probabilities(part, masks if len(masks) <= 1 else masks[first : first + _TEXTS])
            part[~answered] = 0
        return result

    def top(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> Answers:
        """The k most probable labels of each text, in the order of fastText's `predict`.

        Parameters and errors as for `probabilities`. Without `allowed`, loss hs leaves out what is less probable than
        1e-5, and its probabilities are fastText's, 1e-5 more for each branch.
        """
        if k < 1:
            raise ValueError(f"k must be 1 or more, not {k}")
        count, labels = len(offsets) - 1, len(self.model.labels)
        masks = self._masks(allowed, count)
        answers = Answers(np.empty((count, k), np.int32), np.empty((count, k), np.float32))
        buffer = np.empty((min(count, _TEXTS), labels), np.float32)
        for first in range(0, count, _TEXTS):
            places, found = answers.labels[first : first + _TEXTS], answers.probabilities[first : first + _TEXTS]
            scores = buffer[: len(places)]
            answered = self._scores(data, offsets[first : first + len(places) + 1], scores)
            if self._tree is not None and allowed is None:
                branches(scores)
                rank_leaves(scores, self._tree, answered, places, found)
                continue
            part = masks if len(masks) <= 1 else masks[first : first + _TEXTS]
            self._to_probabilities(scores, part)
            rank(scores, part, answered, places, found)
        return answers

    def _scores(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], out: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Fill `out`, shape (n, labels), with the score of each label (of each inner node for hs); who has features."""
        hidden = np.empty((len(out), self.model.dim), np.float32)
        counts = np.empty(len(out), np.int64)
        mean_rows(data, offsets, self._features, self._memory, hidden, counts)
        if not np.isfinite(hidden).all():
            raise ValueError(f"{self.model.path}: its input matrix has entries that are no numbers; fetch it again")
        multiply(hidden, self._weights, out)
        return counts > 0

    def _to_probabilities(self, scores: NDArray[np.float32], allowed: NDArray[np.bool_]) -> None:
        """Turn scores into probabilities, in place; `allowed` as `_masks` gives it, for these texts."""
        if self._tree is not None:
            branches(scores)
            leaves(scores.copy(), self._tree, scores)
            if len(allowed):
                np.copyto(scores, 0, where=~allowed)
                total = scores.sum(axis=1, keepdims=True, dtype=np.float64)
                np.divide(scores, total, out=scores, where=total > 0, casting="same_kind")
        elif self.model.loss == "softmax":
            if len(allowed):
                np.copyto(scores, -np.inf, where=~allowed)
            softmax(scores)
        else:
            sigmoids(scores, self._table)
            if len(allowed):
                np.copyto(scores, 0, where=~allowed)

    def _masks(self, allowed: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
        """`allowed` in two dimensions: one row for each of `count` texts, or one for all, or none."""
        if allowed is None:
            return _ANY
        labels = len(self.model.labels)
        if allowed.shape not in ((labels,), (count, labels)) or allowed.dtype != np.bool_:
            raise ValueError(
                f"allowed must be ({labels},) or ({count}, {labels}) of bool, not {allowed.shape} of {allowed.dtype}"
            )
        masks = np.ascontiguousarray(np.atleast_2d(allowed)).view()
        masks.setflags(write=False)
        return masks
