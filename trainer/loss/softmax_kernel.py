"""Softmax over the first axis of a chunk of logits on the CPU: read once for the sums, once more for the gradient."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import float_function, float_kernel
from lauter.trainer.bfloat16 import load, store

IDS = 4096
"""Ids whose exponentials are summed in float32; the sums of such parts are for the caller. It bounds the rounding, and
what a thread does depends on nothing else."""
_BLOCK = 16
# Ids whose maxima are found before their exponentials are summed: with 512 rows of bf16 they are 16 KiB, half of a
# core's L1, so that memory is read once.

_LOG2_E = np.float32(1 / math.log(2))
# 2^f = sum of (f ln 2)^k / k!; for |f| <= 1/2 the first term left out, k = 7, is 1.2e-7.
_6, _5, _4, _3, _2, _1, _0 = (np.float32(math.log(2) ** k / math.factorial(k)) for k in range(6, -1, -1))
_HALF, _LOWEST = np.float32(0.5), np.float32(-126)
_SMALLEST = np.finfo(np.float32).min


@float_function
def power_of_two(x: np.float32) -> np.float32:
    """2^x for x <= 0 in float32, within 3e-7 of it; 2^-126 below -126. A NaN stays one.

    A polynomial in x minus the nearest integer, times a power put together from its bits. Without a call or a branch,
    so that a loop over it becomes vector code.
    """
    # The order of the comparison decides what a NaN does: it is kept.
    cut = _LOWEST if x < _LOWEST else x
    n = np.floor(cut + _HALF)
    f = cut - n
    p = (((((_6 * f + _5) * f + _4) * f + _3) * f + _2) * f + _1) * f + _0
    return np.float32(p * np.uint32(np.uint32(np.int32(n) + np.int32(127)) << np.uint32(23)).view(np.float32))


@float_kernel
def partial_sums(logits: NDArray[Any], tops: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """For each part of `IDS` ids and each row: the largest logit x log2(e), and the sum of 2^(logit x log2(e) - top).

    Args:
        logits: Shape (V, rows), float32 or bfloat16 bits.
        tops: Written, shape (parts, rows).
        sums: Written, shape (parts, rows).
    """
    for part in numba.prange(tops.shape[0]):
        top, total = tops[part], sums[part]
        here = logits[part * IDS : (part + 1) * IDS]
        higher = np.empty(top.size, np.float32)
        # Not -inf: after a block of nothing else, -inf - -inf would make the row NaN.
        higher[:] = _SMALLEST
        top[:] = _SMALLEST
        total[:] = 0
        for start in range(0, here.shape[0], _BLOCK):
            block = here[start : start + _BLOCK]
            for i in range(block.shape[0]):
                values = block[i]
                for row in range(higher.size):
                    value = load(values, row) * _LOG2_E
                    higher[row] = value if value > higher[row] else higher[row]
            for row in range(higher.size):
                total[row] *= power_of_two(top[row] - higher[row])
                top[row] = higher[row]
            for i in range(block.shape[0]):
                values = block[i]
                for row in range(higher.size):
                    total[row] += power_of_two(load(values, row) * _LOG2_E - higher[row])


@float_kernel
def scaled_softmax(logits: NDArray[Any], shifts: NDArray[np.float32], factors: NDArray[np.float32]) -> None:
    """In place: factor x 2^(logit x log2(e) - shift), with one shift and one factor for each row of shape (V, rows)."""
    for i in numba.prange(logits.shape[0]):
        values = logits[i]
        for row in range(shifts.size):
            store(values, row, factors[row] * power_of_two(load(values, row) * _LOG2_E - shifts[row]))
