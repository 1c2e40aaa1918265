"""Histograms of score columns by label, in whole numbers, so that neither order nor split of the documents matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

BINS = 1001
"""Bins of a column: scores of up to 10,000 in steps of 10, and what is above in the last. A ratio has steps of 0.001,
as FineWeb-2's thresholds have, and a mean word length of 0.1 code points up to 100."""
STEP = 10


class Histograms:
    """For each label one histogram per score column. 8 KB a column: 17 columns of 2,000 labels take 270 MB."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        """Names of the columns; `name[i]` is item i of a column of fixed-size lists."""
        self._counts: dict[str, NDArray[np.int64]] = {}

    def add(self, label: pa.Array, scores: Mapping[str, pa.Array]) -> None:
        """Count some documents: their labels (null: counted nowhere), and columns of uint16 scores (nulls left out)."""
        encoded = label.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        index = np.asarray(encoded.indices.fill_null(len(names)), np.int64)
        flat = dict(_flat(scores))
        for place, name in enumerate(names):
            rows = np.flatnonzero(index == place)
            counts = self._counts.get(name)
            if counts is None:
                counts = self._counts[name] = np.zeros((len(self.columns), BINS), np.int64)
            for number, column in enumerate(self.columns):
                values = flat[column].take(pa.array(rows)).drop_null()
                bins = np.minimum((np.asarray(values).astype(np.int64) + STEP // 2) // STEP, BINS - 1)
                counts[number] += np.bincount(bins, minlength=BINS)

    def of(self, label: str, column: str) -> NDArray[np.int64] | None:
        """Documents in each bin, shape (BINS,); None without one."""
        counts = self._counts.get(label)
        found = None if counts is None else counts[self.columns.index(column)]
        return found if found is not None and found.any() else None

    @property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted(self._counts)


def _flat(scores: Mapping[str, pa.Array]) -> Iterator[tuple[str, pa.Array]]:
    for name, column in scores.items():
        if pa.types.is_fixed_size_list(column.type):
            for item in range(column.type.list_size):
                yield f"{name}[{item}]", pc.list_element(column, item)
        else:
            yield name, column
