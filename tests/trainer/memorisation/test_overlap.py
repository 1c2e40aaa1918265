from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.memorisation.overlap import common_run, common_subsequence

IDS = st.lists(st.integers(0, 4), max_size=24)


def plain_subsequence(left: list[int], right: list[int]) -> int:
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def plain_run(left: list[int], right: list[int]) -> int:
    runs = {tuple(left[start:end]) for start in range(len(left)) for end in range(start + 1, len(left) + 1)}
    return max((len(run) for run in runs if _stands_in(run, right)), default=0)


def _stands_in(run: tuple[int, ...], ids: list[int]) -> bool:
    return any(tuple(ids[start : start + len(run)]) == run for start in range(len(ids)))


@given(IDS, IDS)
def test_kernels_count_what_plain_python_counts(left: list[int], right: list[int]) -> None:
    a, b = np.array(left, np.int64), np.array(right, np.int64)
    assert common_subsequence(a, b) == plain_subsequence(left, right)
    assert common_run(a, b) == plain_run(left, right)
