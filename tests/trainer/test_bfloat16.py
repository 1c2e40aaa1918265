"""bfloat16 in kernels, against torch."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lauter.trainer.bfloat16 import array_of, load, narrow, store, widen


def copy_elements(source: NDArray[np.uint16], target: NDArray[np.uint16]) -> None:
    for i in range(source.size):
        store(target, i, load(source, i))


# Numba's stubs take a function for a signature.
copied: Any = numba.njit(copy_elements)


def test_every_bfloat16_becomes_the_float32_that_torch_makes() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    ours = np.array([widen(each) for each in bits], np.float32)
    theirs = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(ours, theirs)


def test_rounding_is_torchs() -> None:
    generator = np.random.default_rng(7)
    values = generator.integers(0, 1 << 32, 20_000, dtype=np.uint32).view(np.float32)
    halves = (generator.integers(0, 1 << 16, 2_000, dtype=np.uint32) << 16 | 0x8000).view(np.float32)
    values = np.concatenate([values, halves, np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3.4e38], np.float32)])
    ours = torch.from_numpy(np.array([narrow(each) for each in values], np.uint16)).view(torch.bfloat16)
    theirs = torch.from_numpy(values).bfloat16()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def test_a_nan_stays_one_whatever_its_bits() -> None:
    values = np.array([0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF, 0xFF800001], np.uint32).view(np.float32)
    assert all(np.isnan(widen(narrow(each))) for each in values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_one_loop_serves_both_dtypes(dtype: torch.dtype) -> None:
    source = torch.randn(33, generator=torch.Generator().manual_seed(0)).to(dtype)
    target = torch.zeros_like(source)
    copied(array_of(source), array_of(target))
    assert torch.equal(source, target)
