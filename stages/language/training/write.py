"""Writes a trained model as fastText 0.9.2 does (`.ftz`; the layout is told in `fasttext.read`)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.training.features import Chosen
from lauter.stages.language.training.quantise import Quantised
from lauter.stages.language.training.recipe import Network

_MAGIC, _VERSION = 793712314, 12
_SUPERVISED, _SOFTMAX = 3, 3
_WORD, _LABEL = 0, 1
_PREFIX = b"__label__"


def write_model(
    path: Path,
    labels: tuple[str, ...],
    lines: NDArray[np.int64],
    chosen: Chosen,
    rows: Quantised,
    output: NDArray[np.float32],
    network: Network,
) -> None:
    """Write a model of product-quantised rows and a dense output matrix.

    Args:
        path: Where to.
        labels: Without their prefix.
        lines: Shape (labels,): lines of an epoch with each; the counts of the dictionary.
        chosen: The features, in the order of the rows.
        rows: Of the features.
        output: Shape (labels, dim).
        network: The recipe's.
    """
    features = chosen.features
    buckets = np.flatnonzero(features.buckets >= 0).astype(np.int32)
    # The fields that training alone needs are the recipe's where fastText has them, else its defaults.
    head = struct.pack(
        "<14id", _MAGIC, _VERSION, network.dim, 0, network.epochs, 1, 0, 1, _SOFTMAX, _SUPERVISED,
        network.buckets, network.minn, network.maxn, 0, 0.0,
    )  # fmt: skip
    pruned = np.stack([buckets, features.buckets[buckets] - features.words], axis=1).astype("<i4")
    words = [
        name + b"\0" + struct.pack("<qb", uses, _WORD)
        for name, uses in zip(chosen.names, chosen.uses[: features.words].tolist(), strict=True)
    ]
    entries = [
        _PREFIX + label.encode() + b"\0" + struct.pack("<qb", count, _LABEL)
        for label, count in zip(labels, lines.tolist(), strict=True)
    ]
    dictionary = struct.pack(
        "<3i2q", len(words) + len(labels), len(words), len(labels), int(chosen.uses.sum()), len(buckets)
    )
    count, parts = rows.codes.shape
    part = rows.centroids.shape[2]
    with path.open("wb") as file:
        file.write(head + dictionary + b"".join(words) + b"".join(entries) + pruned.tobytes())
        file.write(struct.pack("<2b2qi", 1, 1, count, network.dim, count * parts))
        file.write(rows.codes.tobytes())
        file.write(struct.pack("<4i", network.dim, parts, part, part))
        file.write(np.ascontiguousarray(rows.centroids, "<f4").tobytes())
        file.write(rows.norm_codes.tobytes())
        file.write(struct.pack("<4i", 1, 1, 1, 1))
        file.write(np.ascontiguousarray(rows.norms, "<f4").tobytes())
        file.write(struct.pack("<b2q", 0, len(labels), network.dim))
        file.write(np.ascontiguousarray(output, "<f4").tobytes())
