"""Logits and probabilities of texts: the same for any batch, and logits on any machine."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.features import Memory, Shape, find_features, memory_for
from lauter.stages.classifier.model import Classifier, read_only, tags_of

TEN_THOUSANDTHS = 10_000


def logits(
    model: Classifier,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    groups: NDArray[np.int64] | None = None,
    marks: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """The logits of texts, before calibration: shape (n, columns). A text without a feature has the bias.

    Args:
        model: Of any number of classes.
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`, of which `model.shape.bytes` are read.
        groups: Shape (n,): each text's group, as in training, -1 for none.
        marks: Shape (n,): each text's mark, -1 for none.
    """
    count = len(offsets) - 1
    out = np.empty((count, model.columns), np.float32)
    add_up(
        read_only(data), read_only(offsets), tags_of(groups, count), tags_of(marks, count), model.shape,
        memory_for(model.shape), model.table, model.scales, model.bias, out,
    )  # fmt: skip
    return out


def probabilities(model: Classifier, found: NDArray[np.float32]) -> NDArray[np.float64]:
    """The calibrated probability of each class from `logits`: shape (n, classes).

    With two classes that of the second is the logistic function of slope * logit + offset, with more each class's is,
    divided by the sum of all.
    """
    slope, offset = model.slope or (1.0,) * model.columns, model.offset or (0.0,) * model.columns
    each = 1 / (1 + np.exp(-(found.astype(np.float64) * slope + offset)))
    if len(model.labels) == 2:
        return np.hstack([1 - each, each])
    return cast(NDArray[np.float64], each / each.sum(axis=1, keepdims=True))


def second(model: Classifier, found: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The probability of the second of two classes in ten-thousandths, from `logits`: shape (n,)."""
    return np.rint(probabilities(model, found)[:, 1] * TEN_THOUSANDTHS).astype(np.uint16)


@kernel
def add_up(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    mark: NDArray[np.int64],
    shape: Shape,
    memory: Memory,
    table: NDArray[np.int16],
    scales: NDArray[np.float64],
    bias: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out`, shape (n, columns), with the logits; the other arguments as for `logits` and `Classifier`."""
    columns = table.shape[1] - 1
    sums = np.zeros(columns, np.int64)
    for text in range(offsets.size - 1):
        count = find_features(data, offsets[text], offsets[text + 1], shape, group[text], mark[text], memory)
        square = np.int64(0)
        sums[:] = 0
        for place in range(count):
            bucket = memory.found[place]
            rare = np.int64(table[bucket, 0])
            square += rare * rare
            for column in range(columns):
                sums[column] += np.int64(table[bucket, column + 1]) * rare
        length = np.sqrt(np.float64(square)) if square else 1.0
        for column in range(columns):
            out[text, column] = bias[column] + scales[column] * np.float64(sums[column]) / length
