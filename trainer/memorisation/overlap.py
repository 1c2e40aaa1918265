"""How much of one sequence of ids stands in another: longest common subsequence and longest common run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel


@kernel
def common_subsequence(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    """Length of the longest common subsequence: ids in the same order, with others between them or not.

    Row by row (Wagner and Fischer, JACM 1974): as many steps as the product of the lengths, memory of one row.
    """
    row = np.zeros(right.size + 1, np.int64)
    for i in range(left.size):
        diagonal = np.int64(0)
        for j in range(right.size):
            above = row[j + 1]
            row[j + 1] = diagonal + 1 if left[i] == right[j] else max(above, row[j])
            diagonal = above
    return int(row[right.size])


@kernel
def common_run(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    """Length of the longest run of ids that stands in both."""
    row = np.zeros(right.size + 1, np.int64)
    longest = np.int64(0)
    for i in range(left.size):
        diagonal = np.int64(0)
        for j in range(right.size):
            above = row[j + 1]
            row[j + 1] = diagonal + 1 if left[i] == right[j] else 0
            longest = max(longest, row[j + 1])
            diagonal = above
    return int(longest)
