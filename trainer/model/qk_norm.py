"""Queries and keys: a norm of every head (QK-norm, Henry et al., arXiv 2010.04245), then RoPE."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.model.kernels import compiled
from lauter.trainer.model.local import local
from lauter.trainer.model.norm import RMSNorm
from lauter.trainer.model.norm_kernel import ROWS, norm_rotate_backward, norm_rotate_forward
from lauter.trainer.model.rope import rotate
from lauter.trainer.threads import threads


def norm_and_rotate(x: Tensor, norm: RMSNorm, cos_sin: tuple[Tensor, Tensor]) -> Tensor:
    """`norm`, then `rotate`: x of shape (T, heads, head_dim), the angles from `rope.cos_sin`, each (T, head_dim).

    Raises:
        ValueError: shapes do not fit, or head_dim is odd.
    """
    cos, sin = cos_sin
    weight = local(norm.weight)
    if compiled(x, weight, norm.kernels) and cos.dtype == sin.dtype == x.dtype:
        return cast(Tensor, torch.ops.lauter.norm_rotate(x, weight, cos, sin, norm.eps))
    return rotate(norm(x), cos, sin)


def _check(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor) -> None:
    # The kernel reads what indices say, also beyond the ends of weight and angles.
    angles = (x.shape[0], x.shape[-1])
    if x.dim() != 3 or x.shape[2] % 2 or weight.shape != x.shape[2:] or cos.shape != angles or sin.shape != angles:
        shapes = ", ".join(str(tuple(one.shape)) for one in (x, weight, cos, sin))
        raise ValueError(
            f"norm_rotate: x, weight, cos, sin must be (T, heads, head_dim), (head_dim,), (T, head_dim) twice, "
            f"head_dim even, not {shapes}"
        )


@torch.library.custom_op("lauter::norm_rotate", mutates_args=(), device_types="cpu")
def _forward(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float) -> Tensor:
    """One pass, rounded once; keeps only `x` for the backward pass."""
    _check(x, weight, cos, sin)
    x = x.contiguous()
    y = torch.empty_like(x)
    with threads(x.numel()):
        norm_rotate_forward(array_of(x), array_of(weight), array_of(cos), array_of(sin), array_of(y), np.float32(eps))
    return y


@torch.library.custom_op("lauter::norm_rotate_backward", mutates_args=(), device_types="cpu")
def _backward(grad: Tensor, x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the norm's weight; the latter's sums do not depend on the number of threads."""
    x, grad = x.contiguous(), grad.contiguous()
    out = torch.empty_like(x)
    sums = np.empty((-(-x.shape[0] // ROWS), x.shape[2]), np.float32)
    turns = array_of(cos), array_of(sin)
    with threads(x.numel()):
        norm_rotate_backward(
            array_of(grad), array_of(x), array_of(weight), *turns, array_of(out), sums, np.float32(eps)
        )
    return out, torch.from_numpy(sums).sum(0, dtype=torch.float64).to(weight.dtype)


@_forward.register_fake
def _(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@_backward.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device), torch.empty_like(weight)


def _keep(ctx: BackwardCFunction, inputs: tuple[Tensor, Tensor, Tensor, Tensor, float], output: Tensor) -> None:
    *tensors, ctx.eps = inputs  # type: ignore[attr-defined]
    ctx.save_for_backward(*tensors)


def _back(ctx: BackwardCFunction, grad: Tensor) -> tuple[Tensor | None, ...]:
    eps: float = ctx.eps  # type: ignore[attr-defined]
    return *torch.ops.lauter.norm_rotate_backward(grad, *ctx.saved_tensors, eps), None, None, None


_forward.register_autograd(_back, setup_context=_keep)
