"""RMSNorm: both implementations against torch in fp64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.norm import RMSNorm


def results(x: Tensor, weight: Tensor, grad: Tensor, kernels: Kernels) -> list[Tensor]:
    """Result, gradient of x, gradient of the weight, in fp64."""
    norm = RMSNorm(x.shape[-1], 1e-5, device=None, dtype=x.dtype, kernels=kernels)
    with torch.no_grad():
        norm.weight.copy_(weight)
    x = x.clone().requires_grad_()
    y = norm(x)
    y.backward(grad)
    assert y.dtype == x.dtype and x.grad is not None and norm.weight.grad is not None
    return [each.detach().double() for each in (y, x.grad, norm.weight.grad)]


def drawn(rows: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * 1000 + width)
    x, weight, grad = (torch.randn(*size, generator=generator) for size in ((rows, width), (width,), (rows, width)))
    return x.to(dtype), weight.to(dtype), grad.to(dtype)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.integers(1, 70))
def test_fast_pass_is_fp64_rounded(rows: int, width: int) -> None:
    x, weight, grad = drawn(rows, width, torch.float32)
    exact = results(x.double(), weight.double(), grad.double(), "reference")
    # A row of width 1 has a gradient of eps / x^3: all digits cancel of two terms of this size.
    terms = float((weight * grad / (x.square().mean(1, keepdim=True) + 1e-5).sqrt()).abs().max())
    for ours, theirs in zip(results(x, weight, grad, "fast"), exact, strict=True):
        largest = max(1.0, terms, float(theirs.abs().max()))
        torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=4e-6 * largest)


def test_fast_pass_in_bf16_rounds_once() -> None:
    x, weight, grad = drawn(130, 96, torch.bfloat16)
    exact = results(x.double(), weight.double(), grad.double(), "reference")
    for ours, theirs in zip(results(x, weight, grad, "fast"), exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2**-8, atol=2**-16)


def test_fp64_has_no_fp32_inside() -> None:
    x = torch.randn(5, 24, dtype=torch.float64, requires_grad=True)
    norm = RMSNorm(24, 1e-5, device=None, dtype=torch.float64)
    expected = torch.nn.functional.rms_norm(x, (24,), norm.weight, 1e-5)
    torch.testing.assert_close(norm(x), expected, rtol=1e-14, atol=1e-14)


def test_any_number_of_dimensions_and_strides() -> None:
    x, weight, grad = drawn(24, 10, torch.float32)
    flat = results(x, weight, grad, "fast")
    folded = results(x.view(4, 6, 10), weight, grad.view(4, 6, 10), "fast")
    strided = results(x.t().contiguous().t(), weight, grad.t().contiguous().t(), "fast")
    for one, other, third in zip(flat, folded, strided, strict=True):
        assert torch.equal(one, other.view_as(one)) and torch.equal(one, third)


def test_operator_keeps_the_rules_of_torch_library() -> None:
    x, weight, _ = drawn(3, 8, torch.float32)
    arguments = (x.requires_grad_(), weight.requires_grad_(), 1e-5)
    torch.library.opcheck(
        torch.ops.lauter.rms_norm.default, arguments, test_utils=("test_schema", "test_autograd_registration")
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_nan_stays_in_its_row(dtype: torch.dtype) -> None:
    x, weight, grad = drawn(3, 8, dtype)
    x[1, 2] = torch.nan
    y = results(x, weight, grad, "fast")[0]
    assert y.isnan().all(dim=1).tolist() == [False, True, False] and not y[[0, 2]].isnan().any()


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_another_width_is_refused(kernels: Kernels) -> None:
    norm = RMSNorm(8, 1e-5, device=None, dtype=torch.float32, kernels=kernels)
    with pytest.raises((ValueError, RuntimeError), match=r"does not fit|must match"):
        norm(torch.ones(2, 64))
    if kernels == "fast":
        with pytest.raises(ValueError, match=r"x \(2, 4\) does not fit a weight of \(8,\)"):
            norm(torch.ones(2, 4))
