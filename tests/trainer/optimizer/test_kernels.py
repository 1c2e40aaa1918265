from __future__ import annotations

import math
from collections.abc import Iterator

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer import foreach, kernels
from lauter.trainer.optimizer.coefficients import Coefficients, coefficients
from lauter.trainer.optimizer.part import Part

SECTION = OptimizerSection(warmup_steps=100)
BLOCKS_AND_A_REST = 3 * (1 << 16) + 77
# dtype of master and averages, of the gradient, and of a weight apart
KINDS = [
    pytest.param(torch.float32, torch.bfloat16, torch.bfloat16, id="bf16"),
    pytest.param(torch.float32, torch.float32, torch.bfloat16, id="bf16-summed"),
    pytest.param(torch.float32, torch.float32, None, id="fp32"),
    pytest.param(torch.float64, torch.float64, None, id="fp64"),
]


@pytest.fixture
def numbers() -> Coefficients:
    return coefficients(SECTION, 7, 1e-3, 0.3)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def random_part(
    size: int, dtype: torch.dtype, narrow: torch.dtype, weight: torch.dtype | None, optimizer: str = "ademamix"
) -> Part:
    generator = torch.Generator().manual_seed(size)

    def normal() -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype)

    slow = normal() if optimizer == "ademamix" else None
    apart = None if weight is None else torch.zeros(size, dtype=weight)
    return Part(normal().to(narrow), normal(), normal(), slow, normal() ** 2, apart, 0.1)


def copied(part: Part) -> Part:
    slow = None if part.slow is None else part.slow.clone()
    weight = None if part.weight is None else part.weight.clone()
    return Part(part.gradient, part.master.clone(), part.fast.clone(), slow, part.second.clone(), weight, part.decay)


def tensors(part: Part) -> list[Tensor]:
    return [value for value in part if isinstance(value, Tensor)]


@pytest.mark.parametrize(("dtype", "narrow", "weight"), KINDS)
@pytest.mark.parametrize("optimizer", ["ademamix", "adamw"])
@pytest.mark.parametrize("size", [1, 1000, BLOCKS_AND_A_REST])
def test_equals_plain_torch(
    dtype: torch.dtype,
    narrow: torch.dtype,
    weight: torch.dtype | None,
    optimizer: str,
    size: int,
    numbers: Coefficients,
) -> None:
    ours = random_part(size, dtype, narrow, weight, optimizer)
    plain = copied(ours)
    kernels.update([ours], numbers)
    foreach.update([plain], numbers)
    bar = 1e-14 if dtype == torch.float64 else 2e-6
    for one, other in zip(ours[:5], plain[:5], strict=True):
        if one is not None:
            torch.testing.assert_close(one, other, rtol=bar, atol=bar)
    if ours.weight is not None:
        assert torch.equal(ours.weight, ours.master.to(torch.bfloat16))


@pytest.mark.skipif(numba.get_num_threads() < 2, reason="needs two cores")
@pytest.mark.parametrize(("dtype", "narrow", "weight"), KINDS)
def test_threads_change_no_bit(
    dtype: torch.dtype, narrow: torch.dtype, weight: torch.dtype | None, numbers: Coefficients
) -> None:
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        part = random_part(BLOCKS_AND_A_REST, dtype, narrow, weight)
        squares = kernels.sums_of_squares([part.gradient])[0]
        kernels.update([part], numbers)
        results.append([squares, *tensors(part)])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_many_tensors_in_one_call_are_as_each_alone(numbers: Coefficients) -> None:
    kinds = [(torch.float32, torch.bfloat16, torch.bfloat16), (torch.float64, torch.float64, None)]
    sizes = (1, 0, 70_000, 3, 1 << 16, 2 << 16, 5)
    parts = [
        random_part(size, dtype, narrow, weight, optimizer)._replace(decay=0.1 * (size % 2))
        for dtype, narrow, weight in kinds
        for optimizer in ("ademamix", "adamw")
        for size in sizes
    ]
    alone = [copied(part) for part in parts]
    kernels.update(parts, numbers)
    for part in alone:
        kernels.update([part], numbers)
    for one, other in zip(parts, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))
    gradients = [part.gradient for part in parts]
    assert kernels.sums_of_squares(gradients) == [kernels.sums_of_squares([one])[0] for one in gradients]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=64))
def test_weights_round_to_nearest_even_for_any_bits(bits: list[int]) -> None:
    master = torch.from_numpy(np.array(bits, np.uint32).view(np.float32))
    nothing = torch.zeros_like(master)
    weight = torch.zeros(len(bits), dtype=torch.bfloat16)
    part = Part(nothing, master, nothing.clone(), nothing.clone(), nothing.clone(), weight, 0.0)
    kernels.update([part], coefficients(SECTION, 1, 1e-3, 1.0))
    assert torch.equal(weight.isnan(), master.isnan())
    assert torch.equal(weight.nan_to_num(), master.to(torch.bfloat16).nan_to_num())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [0, 1, 1000, BLOCKS_AND_A_REST])
def test_squares_add_up_in_float64(dtype: torch.dtype, size: int) -> None:
    gradient = (torch.randn(size, generator=torch.Generator().manual_seed(1)) * 1e-3).to(dtype)
    exact = math.fsum((gradient.double() ** 2).tolist())
    assert kernels.sums_of_squares([gradient])[0].item() == pytest.approx(exact, rel=1e-13)
    assert foreach.sums_of_squares([gradient])[0].item() == pytest.approx(exact, rel=1e-12)


def test_small_squares_do_not_underflow() -> None:
    assert kernels.sums_of_squares([torch.full((4,), 1e-30)])[0].item() == pytest.approx(4e-60, rel=1e-6)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("place", [0, 70_000])
def test_squares_show_what_is_not_finite(value: float, place: int) -> None:
    for dtype in (torch.bfloat16, torch.float32):
        gradient = torch.ones(70_001, dtype=dtype)
        gradient[place] = value
        assert not math.isfinite(kernels.sums_of_squares([gradient])[0].item())


@pytest.mark.parametrize("size", [5, BLOCKS_AND_A_REST])
def test_adds_bfloat16_into_float32(size: int) -> None:
    total, gradient = torch.randn(size), torch.randn(size).bfloat16()
    expected = total + gradient.float()
    kernels.add([total], [gradient])
    assert torch.equal(total, expected)


def test_buckets_keep_dtypes_and_decays_apart() -> None:
    sizes = (1 << 25, 1 << 25, 3, 1 << 27, 5, 6)
    parts = [
        random_part(0, torch.float32, torch.float32, None)._replace(
            master=torch.empty(size, device="meta"), decay=0.0 if size == 5 else 0.1
        )
        for size in sizes
    ]
    parts.append(parts[-1]._replace(master=torch.empty(7, dtype=torch.float64, device="meta")))
    found = [[part.master.numel() for part in bucket] for bucket in foreach.buckets(parts)]
    assert found == [[1 << 25, 1 << 25], [3], [1 << 27], [5], [6], [7]]
