"""The optimizer on the CPU: every array is read once and written once.

An update is bound by memory: AdEMAMix over bfloat16 weights moves 36 bytes a parameter in one pass, in plain torch
several times that. Results do not depend on the number of threads, to the bit: the work is cut into fixed blocks, and
a block's arithmetic is the same whoever does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import overload
from numpy.typing import NDArray
from torch import Tensor

from lauter.pipeline.kernel import float_kernel, kernel
from lauter.trainer.optimizer.coefficients import Coefficients
from lauter.trainer.optimizer.part import Part

_BLOCK = 1 << 16
"""Elements that one thread takes at a time. A tensor of one block (norms, xIELU's scalars) is done by the caller alone:
waking the other threads cost 4 ms a call on a busy machine."""

_NO_WEIGHTS = np.empty(0, np.uint16)
_SHIFT, _HALF, _ONE = np.uint32(16), np.uint32(0x7FFF), np.uint32(1)
_NAN = np.uint16(0x7FC0)

Row = NDArray[Any]


def update(part: Part, c: Coefficients) -> None:
    """Apply `Coefficients` to one parameter, in place; no `slow` is AdamW.

    The weight, if there is one, gets the master's new value rounded to nearest, ties to even.
    """
    weight = _NO_WEIGHTS if part.weight is None else _row(part.weight)
    rows = _row(part.gradient), _row(part.master), _row(part.fast), _row(part.second), weight
    numbers = c.array(rows[1].dtype, part.decay)
    with _threads(part.master.numel()):
        if part.slow is None:
            _adamw(*rows, numbers)
        else:
            _ademamix(*rows, _row(part.slow), numbers)


def sum_of_squares(gradient: Tensor) -> Tensor:
    """Of a bfloat16, float32 or float64 tensor, as a float64 scalar; added up in float64, in a fixed order."""
    row = _row(gradient)
    with _threads(row.size):
        return torch.tensor(_sum_of_squares(row), dtype=torch.float64)


def add(total: Tensor, gradient: Tensor) -> None:
    """Add a bfloat16 gradient into a float32 tensor of its shape, in place."""
    row = _row(gradient)
    with _threads(row.size):
        _add(_row(total), row)


def _widened(number: Any) -> Any:  # noqa: ANN401 - a number of the kernels' language
    """A gradient's element as a float: bfloat16 comes as its bits, in uint16."""
    return _from_bits(number) if isinstance(number, np.uint16) else number


@overload(_widened)
def _widened_by_type(number: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a numba type
    return _from_bits if isinstance(number, types.Integer) else _as_it_is


def _from_bits(number: Any) -> Any:  # noqa: ANN401
    return np.uint32(np.uint32(number) << _SHIFT).view(np.float32)


def _as_it_is(number: Any) -> Any:  # noqa: ANN401
    return number


# In the kernels, slices begin at 0: for an index that might be negative, LLVM uses no vectors. No argument is optional:
# numba 0.68 makes wrong code, without a word, of `is None` in a `prange` (values of the element before).


@float_kernel
def _ademamix(gradient: Row, master: Row, fast: Row, second: Row, weight: Row, slow: Row, numbers: Row) -> None:
    rate, scale, decay, beta1, rest1, beta2, rest2, beta3, rest3, alpha, fast_factor, second_factor, eps = numbers
    for block in numba.prange((master.size + _BLOCK - 1) // _BLOCK):
        begin, end = block * _BLOCK, min(master.size, (block + 1) * _BLOCK)
        gradients, values, weights = gradient[begin:end], master[begin:end], weight[begin:end]
        fasts, slows, seconds = fast[begin:end], slow[begin:end], second[begin:end]
        for place in range(values.size):
            g = scale * _widened(gradients[place])
            m1 = beta1 * fasts[place] + rest1 * g
            m2 = beta3 * slows[place] + rest3 * g
            v = beta2 * seconds[place] + rest2 * (g * g)
            p = values[place]
            change = (fast_factor * m1 + alpha * m2) / (second_factor * np.sqrt(v) + eps) + decay * p
            fasts[place], slows[place], seconds[place], values[place] = m1, m2, v, p - rate * change
        _round(values, weights)


@float_kernel
def _adamw(gradient: Row, master: Row, fast: Row, second: Row, weight: Row, numbers: Row) -> None:
    rate, scale, decay, beta1, rest1, beta2, rest2, _, _, _, fast_factor, second_factor, eps = numbers
    for block in numba.prange((master.size + _BLOCK - 1) // _BLOCK):
        begin, end = block * _BLOCK, min(master.size, (block + 1) * _BLOCK)
        gradients, values, weights = gradient[begin:end], master[begin:end], weight[begin:end]
        fasts, seconds = fast[begin:end], second[begin:end]
        for place in range(values.size):
            g = scale * _widened(gradients[place])
            m1 = beta1 * fasts[place] + rest1 * g
            v = beta2 * seconds[place] + rest2 * (g * g)
            p = values[place]
            change = fast_factor * m1 / (second_factor * np.sqrt(v) + eps) + decay * p
            fasts[place], seconds[place], values[place] = m1, v, p - rate * change
        _round(values, weights)


@kernel
def _round(values: Row, weights: Row) -> None:
    """Values of a block to bfloat16's bits, while they are in the core's cache; for an empty `weights` nothing."""
    for place in range(weights.size):
        value = np.float32(values[place])
        bits = value.view(np.uint32)
        rounded = np.uint16((bits + _HALF + ((bits >> _SHIFT) & _ONE)) >> _SHIFT)
        weights[place] = rounded if value == value else _NAN


@float_kernel
def _sum_of_squares(gradient: Row) -> float:
    sums = np.zeros((gradient.size + _BLOCK - 1) // _BLOCK, np.float64)
    for block in numba.prange(sums.size):
        gradients = gradient[block * _BLOCK : min(gradient.size, (block + 1) * _BLOCK)]
        total = 0.0
        for place in range(gradients.size):
            g = np.float64(_widened(gradients[place]))
            total += g * g
        sums[block] = total
    whole = 0.0
    for block in range(sums.size):
        whole += sums[block]
    return whole


@float_kernel
def _add(total: Row, gradient: Row) -> None:
    for block in numba.prange((total.size + _BLOCK - 1) // _BLOCK):
        begin, end = block * _BLOCK, min(total.size, (block + 1) * _BLOCK)
        totals, gradients = total[begin:end], gradient[begin:end]
        for place in range(totals.size):
            totals[place] += _widened(gradients[place])


def _row(tensor: Tensor) -> Row:
    """Its numbers in one dimension, sharing its memory; bfloat16 as the bits in uint16."""
    flat = tensor.reshape(-1)
    row: Row = (flat.view(torch.uint16) if tensor.dtype == torch.bfloat16 else flat).numpy()
    return row


@contextmanager
def _threads(size: int) -> Iterator[None]:
    """As many threads as torch would use, so that ranks on one machine do not get in each other's way."""
    before = numba.get_num_threads()
    wanted = torch.get_num_threads() if size > _BLOCK else 1
    numba.set_num_threads(min(wanted, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba.set_num_threads(before)
