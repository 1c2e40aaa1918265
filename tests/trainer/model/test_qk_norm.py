"""Norm of heads with RoPE in one pass, against the two functions it stands for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.norm import RMSNorm
from lauter.trainer.model.qk_norm import norm_and_rotate


def results(tensors: tuple[Tensor, ...], kernels: Kernels) -> list[Tensor]:
    """Result, gradient of x, gradient of the weight, in fp64."""
    x, weight, cos, sin, grad = tensors
    norm = RMSNorm(x.shape[-1], 1e-5, device=None, dtype=x.dtype, kernels=kernels)
    with torch.no_grad():
        norm.weight.copy_(weight)
    x = x.clone().requires_grad_()
    y = norm_and_rotate(x, norm, (cos, sin))
    y.backward(grad)
    assert y.dtype == x.dtype and x.grad is not None and norm.weight.grad is not None
    return [each.detach().double() for each in (y, x.grad, norm.weight.grad)]


def drawn(tokens: int, heads: int, head_dim: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(tokens * 100 + heads * 10 + head_dim)
    x, weight, angles, grad = (
        torch.randn(*size, generator=generator)
        for size in ((tokens, heads, head_dim), (head_dim,), (tokens, head_dim // 2), (tokens, heads, head_dim))
    )
    angles = torch.cat((angles, angles), dim=1)
    return x, weight, angles.cos(), angles.sin(), grad


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 140), st.integers(1, 4), st.sampled_from([2, 6, 16, 34]))
def test_fast_pass_is_fp64_rounded(tokens: int, heads: int, head_dim: int) -> None:
    tensors = drawn(tokens, heads, head_dim)
    exact = results(tuple(each.double() for each in tensors), "reference")
    for ours, theirs in zip(results(tensors, "fast"), exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=4e-6 * float(theirs.abs().max().clamp(min=1)))


def test_fast_pass_in_bf16_rounds_once() -> None:
    tensors = tuple(each.bfloat16() for each in drawn(70, 3, 16))
    exact = results(tuple(each.double() for each in tensors), "reference")
    for ours, theirs in zip(results(tensors, "fast"), exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2**-8, atol=2**-16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_strides_do_not_matter(dtype: torch.dtype) -> None:
    x, weight, cos, sin, grad = (each.to(dtype) for each in drawn(9, 4, 16))
    apart = x.transpose(0, 1).contiguous().transpose(0, 1)
    pairs = zip(
        results((x, weight, cos, sin, grad), "fast"), results((apart, weight, cos, sin, grad), "fast"), strict=True
    )
    assert all(torch.equal(one, other) for one, other in pairs)


def test_operator_keeps_the_rules_of_torch_library() -> None:
    x, weight, cos, sin, _ = drawn(3, 2, 8)
    arguments = (x.requires_grad_(), weight.requires_grad_(), cos, sin, 1e-5)
    torch.library.opcheck(
        torch.ops.lauter.norm_rotate.default, arguments, test_utils=("test_schema", "test_autograd_registration")
    )


@pytest.mark.parametrize(
    ("x", "cos", "sin"),
    [
        ((4, 1, 8), (1, 8), (4, 8)),
        ((4, 1, 8), (4, 8), (3, 8)),
        ((4, 1, 16), (4, 16), (4, 16)),
        ((4, 8), (4, 8), (4, 8)),
    ],
    ids=["few angles", "few sines", "wide heads", "no heads"],
)
def test_what_would_be_read_beyond_its_end_is_refused(
    x: tuple[int, ...], cos: tuple[int, ...], sin: tuple[int, ...]
) -> None:
    norm = RMSNorm(8, 1e-5, device=None, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"norm_rotate: .*not \(4, "):
        norm_and_rotate(torch.ones(x), norm, (torch.ones(cos), torch.ones(sin)))
