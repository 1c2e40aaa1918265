"""Sums of rows are those of numpy in the same order, bit for bit, for parts of any size."""

from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.language.fasttext.read import Rows
from lauter.stages.language.fasttext.rows import add_rows

DRAW = np.random.default_rng(8)


def frozen(rows: Rows) -> Rows:
    for array in rows:
        array.setflags(write=False)
    return rows


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_dense_rows(count: int) -> None:
    dense = np.zeros(50 * 7 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(50, 7)
    dense[:] = DRAW.standard_normal((50, 7))
    none = np.empty((0, 0), np.uint8), np.empty((0, 256, 0), np.float32), np.empty(0, np.uint8), np.empty(0, np.float32)
    wanted = DRAW.integers(0, 50, 256)
    total = DRAW.standard_normal(16).astype(np.float32)
    expected = total.copy()
    for row in wanted[:count]:
        expected[:7] += dense[row]
    add_rows(frozen(Rows(dense, *none)), wanted, count, total)
    assert total.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("parts", "part"), [(8, 2), (5, 2), (1, 2), (4, 4), (3, 4), (6, 1), (3, 3), (2, 8)])
def test_quantised_rows(parts: int, part: int) -> None:
    dense = np.zeros(4 * 9 + 1, np.uint8)[1:].view(np.float32).reshape(1, 9)
    codes = DRAW.integers(0, 256, (40, parts)).astype(np.uint8)
    centroids = DRAW.standard_normal((parts, 256, part)).astype(np.float32)
    norm_codes = DRAW.integers(0, 256, 40).astype(np.uint8)
    norms = DRAW.random(256).astype(np.float32)
    wanted = DRAW.integers(0, 40, 256)
    total = np.zeros(parts * part + 3, np.float32)
    expected = total.copy()
    for row in wanted[:11]:
        line = centroids[np.arange(parts), codes[row]].ravel()
        expected[: line.size] += norms[norm_codes[row]] * line
    add_rows(frozen(Rows(dense, codes, centroids, norm_codes, norms)), wanted, 11, total)
    assert total.tobytes() == expected.tobytes()
