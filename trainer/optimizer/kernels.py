"""The optimizer on the CPU: all parameters in one call, every array read once and written once.

An update is bound by memory: AdEMAMix over bfloat16 weights moves 36 bytes a parameter in one pass, in plain torch
several times that. The work is cut into fixed blocks over all tensors, which threads share, so that they meet once a
step and not once a tensor: on a machine with other work, each meeting took 4 ms. Results do not depend on the number
of threads, to the bit: a block's arithmetic is the same whoever does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray
from torch import Tensor

from lauter.pipeline.kernel import float_kernel, kernel
from lauter.trainer.bfloat16 import load, narrow
from lauter.trainer.optimizer.coefficients import Coefficients
from lauter.trainer.optimizer.part import Part
from lauter.trainer.threads import threads

_BLOCK = 1 << 16
"""Elements that one thread takes at a time."""

_NUMPY = {torch.bfloat16: np.uint16, torch.float32: np.float32, torch.float64: np.float64}
"""What kernels see; bfloat16 as its bits."""

Row = NDArray[Any]


def update(parts: Sequence[Part], c: Coefficients) -> None:
    """Apply `Coefficients` to parameters, in place; those without `slow` are AdamW's.

    A weight gets its master's new value rounded to nearest, ties to even.
    """
    for (gradient, master, adamw), alike in groupby(parts, _kind):
        group = list(alike)
        masters = [part.master for part in group]
        columns: list[Sequence[Tensor | None]] = [
            [part.gradient for part in group],
            masters,
            [part.fast for part in group],
            [part.second for part in group],
            [part.weight for part in group],
            [part.slow for part in group],
        ]
        decays = np.array([part.decay for part in group], _NUMPY[master])
        numbers = c.array(_NUMPY[master])
        types_of = np.empty(0, _NUMPY[gradient]), np.empty(0, _NUMPY[master]), np.empty(0, np.uint16)
        with threads(sum(tensor.numel() for tensor in masters)):
            (_adamw if adamw else _ademamix)(_addresses(columns), *_blocks(masters), decays, numbers, *types_of)


def sums_of_squares(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Of each tensor, as float64 scalars; added up in float64, in an order that its size fixes."""
    sums: list[Tensor] = []
    for dtype, alike in groupby(gradients, lambda gradient: gradient.dtype):
        group = list(alike)
        with threads(sum(tensor.numel() for tensor in group)):
            of_group = _sums_of_squares(_addresses([group]), *_blocks(group), np.empty(0, _NUMPY[dtype]))
        sums.extend(torch.from_numpy(of_group))
    return sums


def add(totals: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Add bfloat16 gradients into float32 tensors of their shapes, in place."""
    with threads(sum(tensor.numel() for tensor in totals)):
        _add(_addresses([gradients, totals]), *_blocks(totals), np.empty(0, np.uint16), np.empty(0, np.float32))


def _kind(part: Part) -> tuple[torch.dtype, torch.dtype, bool]:
    return part.gradient.dtype, part.master.dtype, part.slow is None


def _addresses(columns: Sequence[Sequence[Tensor | None]]) -> NDArray[np.int64]:
    """Where the tensors' elements begin, shape (columns, tensors); 0 for none."""
    return np.array([[0 if one is None else one.data_ptr() for one in column] for column in columns], np.int64)


def _blocks(tensors: Sequence[Tensor]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Elements of each tensor, the number of its first block, and of each block the tensor."""
    sizes = np.array([tensor.numel() for tensor in tensors], np.int64)
    counts = -(-sizes // _BLOCK)
    return sizes, np.cumsum(counts) - counts, np.repeat(np.arange(sizes.size), counts)


@intrinsic
def _pointer(_: Any, address: Any, like: Any) -> Any:  # noqa: ANN401 - numba types
    """An address as a pointer to elements of an array's type."""
    pointer = types.CPointer(like.dtype)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:  # noqa: ANN401 - LLVM's builder
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(address, like), generate


@kernel
def _row(address: int, begin: int, size: int, like: Row) -> Row:
    """Elements [begin, begin + size) of the tensor at an address; none where the address is 0."""
    return carray(_pointer(address + begin * like.itemsize, like), size if address else 0)  # type: ignore[call-arg]


# In the kernels, indices begin at 0: for one that might be negative, LLVM uses no vectors. No argument is optional:
# numba 0.68 makes wrong code, without a word, of `is None` in a `prange` (values of the element before).


@float_kernel
def _ademamix(
    addresses: Row,
    sizes: Row,
    firsts: Row,
    tensors: Row,
    decays: Row,
    numbers: Row,
    gradient: Row,
    master: Row,
    weight: Row,
) -> None:
    rate, scale, beta1, rest1, beta2, rest2, beta3, rest3, alpha, fast_factor, second_factor, eps = numbers
    for block in numba.prange(tensors.size):
        tensor = tensors[block]
        begin = (block - firsts[tensor]) * _BLOCK
        size = min(sizes[tensor] - begin, _BLOCK)
        gradients = _row(addresses[0, tensor], begin, size, gradient)
        values = _row(addresses[1, tensor], begin, size, master)
        fasts = _row(addresses[2, tensor], begin, size, master)
        seconds = _row(addresses[3, tensor], begin, size, master)
        slows = _row(addresses[5, tensor], begin, size, master)
        decay = decays[tensor]
        for place in range(size):
            g = scale * load(gradients, place)
            m1 = beta1 * fasts[place] + rest1 * g
            m2 = beta3 * slows[place] + rest3 * g
            v = beta2 * seconds[place] + rest2 * (g * g)
            p = values[place]
            change = (fast_factor * m1 + alpha * m2) / (second_factor * np.sqrt(v) + eps) + decay * p
            fasts[place], slows[place], seconds[place], values[place] = m1, m2, v, p - rate * change
        _round(values, _row(addresses[4, tensor], begin, size, weight))


@float_kernel
def _adamw(
    addresses: Row,
    sizes: Row,
    firsts: Row,
    tensors: Row,
    decays: Row,
    numbers: Row,
    gradient: Row,
    master: Row,
    weight: Row,
) -> None:
    rate, scale, beta1, rest1, beta2, rest2, _, _, _, fast_factor, second_factor, eps = numbers
    for block in numba.prange(tensors.size):
        tensor = tensors[block]
        begin = (block - firsts[tensor]) * _BLOCK
        size = min(sizes[tensor] - begin, _BLOCK)
        gradients = _row(addresses[0, tensor], begin, size, gradient)
        values = _row(addresses[1, tensor], begin, size, master)
        fasts = _row(addresses[2, tensor], begin, size, master)
        seconds = _row(addresses[3, tensor], begin, size, master)
        decay = decays[tensor]
        for place in range(size):
            g = scale * load(gradients, place)
            m1 = beta1 * fasts[place] + rest1 * g
            v = beta2 * seconds[place] + rest2 * (g * g)
            p = values[place]
            change = fast_factor * m1 / (second_factor * np.sqrt(v) + eps) + decay * p
            fasts[place], seconds[place], values[place] = m1, v, p - rate * change
        _round(values, _row(addresses[4, tensor], begin, size, weight))


@kernel
def _round(values: Row, weights: Row) -> None:
    """Values of a block to bfloat16's bits, while they are in the core's cache; for an empty `weights` nothing."""
    for place in range(weights.size):
        weights[place] = narrow(np.float32(values[place]))


@float_kernel
def _sums_of_squares(addresses: Row, sizes: Row, firsts: Row, tensors: Row, gradient: Row) -> Row:
    of_blocks = np.zeros(tensors.size, np.float64)
    for block in numba.prange(tensors.size):
        tensor = tensors[block]
        begin = (block - firsts[tensor]) * _BLOCK
        size = min(sizes[tensor] - begin, _BLOCK)
        gradients = _row(addresses[0, tensor], begin, size, gradient)
        total = 0.0
        for place in range(size):
            g = np.float64(load(gradients, place))
            total += g * g
        of_blocks[block] = total
    sums = np.zeros(sizes.size, np.float64)
    for block in range(tensors.size):
        sums[tensors[block]] += of_blocks[block]
    return sums


@float_kernel
def _add(addresses: Row, sizes: Row, firsts: Row, tensors: Row, gradient: Row, like: Row) -> None:
    for block in numba.prange(tensors.size):
        tensor = tensors[block]
        begin = (block - firsts[tensor]) * _BLOCK
        size = min(sizes[tensor] - begin, _BLOCK)
        gradients = _row(addresses[0, tensor], begin, size, gradient)
        totals = _row(addresses[1, tensor], begin, size, like)
        for place in range(size):
            totals[place] += load(gradients, place)
