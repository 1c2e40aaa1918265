"""RMSNorm over rows, alone or followed by a rotation, forward and backward, in one pass each; see `norm` and `rope`."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import float_kernel
from lauter.trainer.bfloat16 import load, store

ROWS = 64
"""Rows (tokens, with a rotation) whose gradients of the weight are summed in float32, always in the same order."""

_0, _1 = np.float32(0), np.float32(1)


@float_kernel
def norm_forward(x: NDArray[Any], weight: NDArray[Any], y: NDArray[Any], eps: np.float32) -> None:
    """Every row: y = weight x / sqrt(mean(x^2) + eps)."""
    width = np.float32(x.shape[1])
    for chunk in numba.prange((x.shape[0] + ROWS - 1) // ROWS):
        for r in range(chunk * ROWS, min(chunk * ROWS + ROWS, x.shape[0])):
            row, out = x[r], y[r]
            squares = _0
            for i in range(row.size):
                squares += load(row, i) * load(row, i)
            scale = _1 / np.sqrt(squares / width + eps)
            for i in range(row.size):
                store(out, i, load(row, i) * scale * load(weight, i))


@float_kernel
def norm_backward(
    grad: NDArray[Any],
    x: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
    sums: NDArray[np.float32],
    eps: np.float32,
) -> None:
    """Gradient of x into `out`; into sums[c] each chunk's part of the gradient of the weight.

    With s = 1 / sqrt(mean(x^2) + eps): s (w g - x s^2 mean(w g x)), and g x s.
    """
    width = np.float32(x.shape[1])
    for chunk in numba.prange((x.shape[0] + ROWS - 1) // ROWS):
        part = sums[chunk]
        part[:] = _0
        for r in range(chunk * ROWS, min(chunk * ROWS + ROWS, x.shape[0])):
            row, g, o = x[r], grad[r], out[r]
            squares, products = _0, _0
            for i in range(row.size):
                squares += load(row, i) * load(row, i)
                products += load(row, i) * load(weight, i) * load(g, i)
            scale = _1 / np.sqrt(squares / width + eps)
            along = scale * scale * products / width
            for i in range(row.size):
                store(o, i, scale * (load(weight, i) * load(g, i) - load(row, i) * along))
                part[i] += load(g, i) * load(row, i) * scale


@float_kernel
def norm_rotate_forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    cos: NDArray[Any],
    sin: NDArray[Any],
    y: NDArray[Any],
    eps: np.float32,
) -> None:
    """Norm and rotation for x of shape (T, heads, head_dim), cos and sin (T, head_dim)."""
    half = x.shape[2] // 2
    width = np.float32(x.shape[2])
    for chunk in numba.prange((x.shape[0] + ROWS - 1) // ROWS):
        for t in range(chunk * ROWS, min(chunk * ROWS + ROWS, x.shape[0])):
            c, s = cos[t], sin[t]
            for h in range(x.shape[1]):
                row, out = x[t, h], y[t, h]
                squares = _0
                for i in range(row.size):
                    squares += load(row, i) * load(row, i)
                scale = _1 / np.sqrt(squares / width + eps)
                for i in range(half):
                    first = load(row, i) * scale * load(weight, i)
                    second = load(row, i + half) * scale * load(weight, i + half)
                    store(out, i, first * load(c, i) - second * load(s, i))
                    store(out, i + half, second * load(c, i) + first * load(s, i))


@float_kernel
def norm_rotate_backward(
    grad: NDArray[Any],
    x: NDArray[Any],
    weight: NDArray[Any],
    cos: NDArray[Any],
    sin: NDArray[Any],
    out: NDArray[Any],
    sums: NDArray[np.float32],
    eps: np.float32,
) -> None:
    """As `norm_backward` of the gradient turned back."""
    half = x.shape[2] // 2
    width = np.float32(x.shape[2])
    for chunk in numba.prange((x.shape[0] + ROWS - 1) // ROWS):
        part = sums[chunk]
        part[:] = _0
        turned = np.empty(x.shape[2], np.float32)
        for t in range(chunk * ROWS, min(chunk * ROWS + ROWS, x.shape[0])):
            c, s = cos[t], sin[t]
            for h in range(x.shape[1]):
                row, g, o = x[t, h], grad[t, h], out[t, h]
                for i in range(half):
                    turned[i] = load(g, i) * load(c, i) + load(g, i + half) * load(s, i)
                    turned[i + half] = load(g, i + half) * load(c, i) - load(g, i) * load(s, i)
                squares, products = _0, _0
                for i in range(row.size):
                    squares += load(row, i) * load(row, i)
                    products += load(row, i) * load(weight, i) * turned[i]
                scale = _1 / np.sqrt(squares / width + eps)
                along = scale * scale * products / width
                for i in range(row.size):
                    store(o, i, scale * (load(weight, i) * turned[i] - load(row, i) * along))
                    part[i] += turned[i] * load(row, i) * scale
