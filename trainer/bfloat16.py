"""Arrays of float32 and of bfloat16 alike, inside kernels: numpy has no bfloat16, so its bits come as uint16.

A bfloat16 is the upper half of a float32. `array_of` gives a tensor's memory to a kernel; `load` and `store` compile to
what the array's dtype needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import types
from numba.extending import overload
from numpy.typing import NDArray
from torch import Tensor

from lauter.pipeline.kernel import kernel

_HALF = np.uint32(16)
_NAN = np.uint16(0x7FC0)


def array_of(tensor: Tensor) -> NDArray[Any]:
    """A contiguous CPU tensor's memory: float32, or uint16 for bf16."""
    tensor = tensor.detach()
    # Not `Tensor.numpy`, which pins the storage for good: FSDP2 could no longer free a layer's gathered weights.
    return np.from_dlpack(tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor)


@kernel
def widen(bits: np.uint16) -> np.float32:
    """The float32 of a bfloat16's bits, exactly."""
    return np.uint32(np.uint32(bits) << _HALF).view(np.float32)


@kernel
def narrow(value: np.float32) -> np.uint16:
    """The bits of the nearest bfloat16, ties to even, as torch rounds."""
    bits = np.float32(value).view(np.uint32)
    bits = np.uint32(np.uint32(bits + np.uint32(0x7FFF) + np.uint32(np.uint32(bits >> _HALF) & np.uint32(1))) >> _HALF)
    # Rounding up a NaN's bits may leave infinity or 0.
    return np.uint16(bits) if value == value else _NAN


def load(array: NDArray[Any], index: int) -> np.float32:
    """Element of a float32 or bfloat16 array as float32; only inside kernels."""
    raise NotImplementedError


def store(array: NDArray[Any], index: int, value: np.float32) -> None:
    """Write a float32 into a float32 or bfloat16 array; only inside kernels."""
    raise NotImplementedError


@overload(load, strict=False)
def _load(array: types.Array, index: types.Type) -> Callable[..., Any]:
    if array.dtype == types.uint16:
        return lambda array, index: widen(array[index])
    return lambda array, index: array[index]


@overload(store, strict=False)
def _store(array: types.Array, index: types.Type, value: types.Type) -> Callable[..., Any]:
    if array.dtype == types.uint16:

        def narrowing(array: NDArray[np.uint16], index: int, value: np.float32) -> None:
            array[index] = narrow(value)

        return narrowing

    def plain(array: NDArray[np.float32], index: int, value: np.float32) -> None:
        array[index] = value

    return plain
