"""Training: a support vector machine by dual coordinate descent, the same bytes on every machine.

Minimised is |w|^2 / 2 + sum of C_i max(0, 1 - y_i w x_i)^2 by C.-J. Hsieh et al., A Dual Coordinate Descent Method for
Large-scale Linear SVM, ICML 2008, algorithm 1 with the L2 loss. Its step has a product of sparse vectors, a division
and no exponential, so every operation is one that IEEE 754 defines to the last bit; the order is that of a generator
of our own, and one thread runs it. x is a text's features, each weighed by its rarity ln((1 + n) / (1 + texts with
it)) + 1 in whole sixteenths (K. Sparck Jones 1972, smoothed), at length 1, and a bias.

Features are found anew on each pass, so memory is that of the texts, and of each bucket 25 bytes with two classes, 23
and 10 a class with more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.features import Memory, Shape, find_features, memory_for
from lauter.stages.classifier.model import Classifier, read_only, tags_of
from lauter.stages.kernels.hashing import GOLDEN
from lauter.stages.kernels.words import finish_hash

RARITY_UNIT = 16
"""Rarities are in this part of a nat."""


class Recipe(BaseModel):
    """Every number that decides what is trained."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    bits: Annotated[int, Field(ge=8, le=24)] = 20
    """Two to this power are the buckets; 4 bytes each in the file of a model of two classes."""
    words: Annotated[int, Field(ge=0, le=4)] = 2
    """Longest n-gram of words."""
    gap: Annotated[int, Field(ge=0, le=4)] = 0
    """Pairs of words with up to this many words between them."""
    least: Annotated[int, Field(ge=1, le=8)] = 3
    """Shortest n-gram of characters."""
    most: Annotated[int, Field(ge=0, le=8)] = 5
    """Longest n-gram of characters, 0 for none."""
    text_bytes: Annotated[int, Field(ge=64, le=1 << 16)] = 4096
    """Bytes of a text that are looked at."""
    cost: Annotated[float, Field(gt=0)] = 1.0
    """C: how much a text on the wrong side costs, against large weights."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _there_are_features(self) -> Recipe:
        if self.most and self.least > self.most:
            raise ValueError(f"least {self.least} is above most {self.most}")
        if not self.most and not self.words:
            raise ValueError("neither n-grams of words nor of characters are asked for")
        return self

    @property
    def shape(self) -> Shape:
        """The features."""
        return Shape(1 << self.bits, self.words, self.gap, self.least, self.most, self.text_bytes)


def train(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    labels: NDArray[np.int32],
    weights: NDArray[np.float32],
    names: Sequence[str],
    recipe: Recipe,
    groups: NDArray[np.int64] | None = None,
    marks: NDArray[np.int64] | None = None,
) -> Classifier:
    """Train a model, not yet calibrated.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        labels: Shape (n,): indices into `names`.
        weights: Shape (n,): how much each text counts, 0 and above; 0 leaves it out, also of the rarities.
        names: Names of the classes, at least two. With two, the model has one column: that of the second.
        recipe: Every other number.
        groups: Shape (n,): each text's group, -1 for none.
        marks: Shape (n,): each text's mark, -1 for none.

    Raises:
        ValueError: There are no two classes with a text of a weight above 0, or shapes differ.
    """
    count = len(offsets) - 1
    if labels.shape != (count,) or weights.shape != (count,):
        raise ValueError(f"{count} texts need as many labels and weights, not {labels.shape} and {weights.shape}")
    present = np.unique(labels[weights > 0])
    if len(names) < 2 or len(present) < 2 or present[0] < 0 or present[-1] >= len(names):
        raise ValueError(f"training needs texts of two classes or more among {', '.join(names)}")
    group, mark = tags_of(groups, count), tags_of(marks, count)
    shape, memory = recipe.shape, memory_for(recipe.shape)
    data, offsets = read_only(data), read_only(offsets)
    texts = np.zeros(shape.buckets, np.int32)
    count_texts(data, offsets, group, mark, weights.astype(np.float64), shape, memory, texts)
    rarities = rarities_of(texts, int(np.count_nonzero(weights)))
    columns = [1] if len(names) == 2 else range(len(names))
    # Column by column in memory: each is trained in its place.
    table = np.zeros((shape.buckets, len(columns)), np.float64, order="F")
    bias = np.zeros(len(columns), np.float64)
    for place, column in enumerate(columns):
        side = np.where(labels == column, 1.0, -1.0)
        bias[place] = descend(
            data, offsets, group, mark, side, recipe.cost * weights.astype(np.float64), shape, memory, rarities,
            table[:, place], recipe.epochs, np.uint64(recipe.seed),
        )  # fmt: skip
    return Classifier.quantised(tuple(names), shape, table, rarities, bias)


def rarities_of(texts: NDArray[np.int32], count: int) -> NDArray[np.uint8]:
    """The rarity of each bucket in sixteenths, from how many of `count` texts have it."""
    rarity = (1 + count) / (1 + texts)
    np.log(rarity, out=rarity)
    rarity += 1
    rarity *= RARITY_UNIT
    # A logarithm's last bit is the machine's; in whole sixteenths it is nobody's.
    np.rint(rarity, out=rarity)
    return np.minimum(rarity, 255, out=rarity).astype(np.uint8)


@kernel
def count_texts(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    mark: NDArray[np.int64],
    weights: NDArray[np.float64],
    shape: Shape,
    memory: Memory,
    texts: NDArray[np.int32],
) -> None:
    """Count the texts of a weight above 0 that have each feature, into `texts`, shape (buckets,)."""
    for row in range(offsets.size - 1):
        if weights[row] > 0:
            count = find_features(data, offsets[row], offsets[row + 1], shape, group[row], mark[row], memory)
            for place in range(count):
                texts[memory.found[place]] += 1


@kernel
def descend(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    group: NDArray[np.int64],
    mark: NDArray[np.int64],
    side: NDArray[np.float64],
    costs: NDArray[np.float64],
    shape: Shape,
    memory: Memory,
    rarities: NDArray[np.uint8],
    row: NDArray[np.float64],
    epochs: int,
    seed: np.uint64,
) -> float:
    """Train one column; returns its bias.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,).
        group: Shape (n,), -1 for none.
        mark: As `group`.
        side: Shape (n,): 1 for texts of the class, -1 for the others.
        costs: Shape (n,): C of each text; texts of 0 are left out.
        shape: Which features.
        memory: `memory_for(shape)`.
        rarities: Shape (buckets,).
        row: Zeros of shape (buckets,); filled with the weights, to be multiplied with the rarities.
        epochs: Passes over all texts.
        seed: Of the order of texts.
    """
    total = offsets.size - 1
    alpha = np.zeros(total)
    order = np.arange(total)
    bias = 0.0
    state = seed
    for _ in range(epochs):
        for last in range(total - 1, 0, -1):
            state += GOLDEN
            other = np.int64((finish_hash(state) >> np.uint64(32)) * np.uint64(last + 1) >> np.uint64(32))
            order[last], order[other] = order[other], order[last]
        for turn in range(total):
            text = order[turn]
            if costs[text] <= 0:
                continue
            count = find_features(data, offsets[text], offsets[text + 1], shape, group[text], mark[text], memory)
            square, product = np.int64(0), 0.0
            for place in range(count):
                bucket = memory.found[place]
                rare = np.int64(rarities[bucket])
                square += rare * rare
                product += row[bucket] * rare
            length = np.sqrt(np.float64(square)) if square else 1.0
            diagonal = 0.5 / costs[text]
            slope = side[text] * (product / length + bias) - 1 + diagonal * alpha[text]
            if alpha[text] == 0 and slope >= 0:
                continue
            norm = (2.0 if square else 1.0) + diagonal
            changed = max(alpha[text] - slope / norm, 0.0)
            step = (changed - alpha[text]) * side[text]
            alpha[text] = changed
            if step == 0:
                continue
            bias += step
            for place in range(count):
                bucket = memory.found[place]
                row[bucket] += step / length * np.float64(rarities[bucket])
    return bias
