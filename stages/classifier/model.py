"""A trained model and its file: one JSON header and a table, with a digest, and nothing that could run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from lauter.stages.classifier.features import Shape

_MAGIC = b"lauter-classifier-1\n"
_MOST = 32767


@dataclass(frozen=True, eq=False)
class Classifier:
    """A linear model over hashed features.

    logit = bias + scale * (sum of weight * rarity over a text's features) / (root of the sum of rarity squared): sums
    of whole numbers, so that no order of adding matters.
    """

    labels: tuple[str, ...]
    """Names of the classes. With two, there is one column, that of the second."""
    shape: Shape
    table: NDArray[np.int16]
    """Shape (buckets, 1 + columns): a feature's rarity, in sixteenths of a nat, plus one; then its weights. They lie
    side by side, as each feature of a text is a look into memory that no cache foresees."""
    scales: NDArray[np.float64]
    """Shape (columns,)."""
    bias: NDArray[np.float64]
    """Shape (columns,)."""
    slope: tuple[float, ...] = ()
    """By column: the probability is the logistic function of slope * logit + offset (J. Platt 1999). Empty: not
    calibrated, slope 1 and offset 0."""
    offset: tuple[float, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What whoever trained it wants to be kept with it: plain data, e.g. names of groups."""

    @staticmethod
    def quantised(
        labels: tuple[str, ...],
        shape: Shape,
        table: NDArray[np.float64],
        rarities: NDArray[np.uint8],
        bias: NDArray[np.float64],
    ) -> Classifier:
        """A model whose weights are rounded to 16 bits, from the highest of each column."""
        highest = np.maximum(np.maximum(table.max(axis=0), -table.min(axis=0)), 1e-30)
        whole = np.empty((len(table), 1 + table.shape[1]), np.int16)
        whole[:, 0] = rarities
        # Column by column: all at once, copies of the whole table would take more than the training.
        for column, top in enumerate(highest):
            scaled = table[:, column] / top
            scaled *= _MOST
            whole[:, 1 + column] = np.rint(scaled, out=scaled)
        return Classifier(labels, shape, read_only(whole), highest / _MOST, bias)

    @property
    def columns(self) -> int:
        """Logits of a text: 1 for two classes, else one a class."""
        return int(self.table.shape[1]) - 1

    @cached_property
    def digest(self) -> str:
        """XXH3-128 of header and table, in hexadecimal."""
        return _digest(self._header(), self._body())

    def calibrated(self, slope: Sequence[float], offset: Sequence[float]) -> Classifier:
        """The same with the calibration of each column.

        Raises:
            ValueError: There are more or fewer than columns.
        """
        if len(slope) != self.columns or len(offset) != self.columns:
            raise ValueError(f"{self.columns} columns need as many slopes and offsets")
        return replace(self, slope=tuple(slope), offset=tuple(offset))

    def noted(self, notes: Mapping[str, Any]) -> Classifier:
        """The same with other notes."""
        return replace(self, notes=dict(notes))

    def save(self, path: Path) -> None:
        """Write the file."""
        header, body = self._header(), self._body()
        path.write_bytes(_MAGIC + _digest(header, body).encode() + b"\n" + header + b"\n" + body)

    @staticmethod
    def load(path: Path) -> Classifier:
        """Read a file.

        Raises:
            ValueError: It is none of ours, or not as it was written; the message names it.
            OSError: It cannot be read.
        """
        content = path.read_bytes()
        parts = content[len(_MAGIC) :].split(b"\n", 2)
        if not content.startswith(_MAGIC) or len(parts) != 3:
            raise ValueError(f"{path} is no classifier of this project: train one anew")
        digest, header, body = parts
        if _digest(header, body).encode() != digest:
            raise ValueError(f"{path} is damaged: its digest is not that of its content; fetch or train it again")
        told = json.loads(header)
        shape, columns = Shape(**told["shape"]), len(told["bias"])
        table = np.frombuffer(body, "<i2").reshape(shape.buckets, columns + 1).astype(np.int16, copy=False)
        return Classifier(
            tuple(told["labels"]), shape, read_only(table),
            np.array(told["scales"], np.float64), np.array(told["bias"], np.float64),
            tuple(told["slope"]), tuple(told["offset"]), told["notes"],
        )  # fmt: skip

    def _header(self) -> bytes:
        told = {
            "labels": self.labels, "shape": self.shape._asdict(), "scales": self.scales.tolist(),
            "bias": self.bias.tolist(), "slope": self.slope, "offset": self.offset, "notes": dict(self.notes),
        }  # fmt: skip
        return json.dumps(told, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()

    def _body(self) -> bytes:
        return self.table.astype("<i2", copy=False).tobytes()


def _digest(header: bytes, body: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(header + b"\n" + body)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to: a kernel is compiled once for such arrays, and again for others."""
    view = array.view()
    view.flags.writeable = False
    return view


def tags_of(tags: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """Groups or marks of `count` texts, -1 for none.

    Raises:
        ValueError: There are more or fewer.
    """
    if tags is None:
        return np.full(count, -1, np.int64)
    if tags.shape != (count,):
        raise ValueError(f"{count} texts need as many groups or marks, not {tags.shape}")
    return tags.astype(np.int64, copy=False)
