"""Adding rows of a matrix, dense or quantised: where most of the time of a prediction goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.language.fasttext.read import Rows


@kernel
def add_rows(rows: Rows, wanted: NDArray[np.int64], count: int, total: NDArray[np.float32]) -> None:
    """Add the rows `wanted[:count]` to `total`, each sum in their order."""
    if rows.codes.shape[0]:
        add_quantised(rows, wanted, count, total)
        return
    at = 0
    while at + 4 <= count:
        # Four rows are under way from memory at once, and the sum is loaded and stored once for them.
        first, second, third, fourth = wanted[at], wanted[at + 1], wanted[at + 2], wanted[at + 3]
        for column in range(rows.dense.shape[1]):
            total[column] = (
                total[column] + rows.dense[first, column] + rows.dense[second, column] + rows.dense[third, column]
            ) + rows.dense[fourth, column]
        at += 4
    while at < count:
        row = wanted[at]
        for column in range(rows.dense.shape[1]):
            total[column] += rows.dense[row, column]
        at += 1


@kernel
def add_quantised(rows: Rows, wanted: NDArray[np.int64], count: int, total: NDArray[np.float32]) -> None:
    """`add_rows` for a quantised matrix.

    Part after part: the centroids of a part (4 KB for parts of four) stay in the first-level cache, and sums in
    registers. Parts of two, which is fastText's default, and of four are taken eight numbers at a time: 40 ns a row of
    32 parts of four, against 140 for parts of any size.
    """
    parts, part = rows.codes.shape[1], rows.centroids.shape[2]
    codes, centroids = rows.codes, rows.centroids
    factors = np.empty(count, np.float32)
    for at in range(count):
        factors[at] = rows.norms[rows.norm_codes[wanted[at]]]
    done = 0
    if part == 2 or part == 4:
        together = 8 // part
        done = parts // together * together
    for column in range(0, done * part, 8):
        a, b, c, d = total[column], total[column + 1], total[column + 2], total[column + 3]
        e, f, g, h = total[column + 4], total[column + 5], total[column + 6], total[column + 7]
        index = column // part
        if part == 4:
            for at in range(count):
                row, factor = np.uint64(wanted[at]), factors[at]
                code = codes[row, index]
                a += factor * centroids[index, code, 0]
                b += factor * centroids[index, code, 1]
                c += factor * centroids[index, code, 2]
                d += factor * centroids[index, code, 3]
                code = codes[row, index + 1]
                e += factor * centroids[index + 1, code, 0]
                f += factor * centroids[index + 1, code, 1]
                g += factor * centroids[index + 1, code, 2]
                h += factor * centroids[index + 1, code, 3]
        else:
            for at in range(count):
                row, factor = np.uint64(wanted[at]), factors[at]
                code = codes[row, index]
                a += factor * centroids[index, code, 0]
                b += factor * centroids[index, code, 1]
                code = codes[row, index + 1]
                c += factor * centroids[index + 1, code, 0]
                d += factor * centroids[index + 1, code, 1]
                code = codes[row, index + 2]
                e += factor * centroids[index + 2, code, 0]
                f += factor * centroids[index + 2, code, 1]
                code = codes[row, index + 3]
                g += factor * centroids[index + 3, code, 0]
                h += factor * centroids[index + 3, code, 1]
        total[column], total[column + 1], total[column + 2], total[column + 3] = a, b, c, d
        total[column + 4], total[column + 5], total[column + 6], total[column + 7] = e, f, g, h
    for index in range(done, parts):
        for place in range(part):
            value = total[index * part + place]
            for at in range(count):
                value += factors[at] * centroids[index, codes[wanted[at], index], place]
            total[index * part + place] = value
