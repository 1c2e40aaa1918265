"""RMSNorm (Zhang and Sennrich, arXiv 1910.07467)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.model.kernels import Kernels, compiled
from lauter.trainer.model.local import local
from lauter.trainer.model.norm_kernel import ROWS, norm_backward, norm_forward
from lauter.trainer.threads import threads


class RMSNorm(nn.Module):
    """w x / sqrt(mean(x^2) + eps) over the last dimension; the mean is taken in fp32 (fp64 for fp64)."""

    def __init__(
        self,
        width: int,
        eps: float,
        *,
        device: torch.device | str | None,
        dtype: torch.dtype,
        kernels: Kernels = "fast",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, device=device, dtype=dtype))
        self.eps = eps
        self.kernels: Kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """Any shape (..., width); the same shape and dtype.

        Raises:
            ValueError: another width.
        """
        weight = local(self.weight)
        if compiled(x, weight, self.kernels):
            return cast(Tensor, torch.ops.lauter.rms_norm(x, weight, self.eps))
        return rms_norm(x, weight, self.eps)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The quotient in fp32, rounded to the input's dtype, then scaled by the weight.

    The order of transformers' `ApertusRMSNorm`, so that fp32 and bf16 results are equal to it to the bit.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


@torch.library.custom_op("lauter::rms_norm", mutates_args=(), device_types="cpu")
def _forward(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """One pass, rounded once; keeps only `x` for the backward pass."""
    # The kernel reads what indices say, also beyond the weight's end.
    if x.dim() == 0 or weight.shape != x.shape[-1:]:
        raise ValueError(f"rms_norm: x {tuple(x.shape)} does not fit a weight of {tuple(weight.shape)}")
    x = x.contiguous()
    y = torch.empty_like(x)
    with threads(x.numel()):
        norm_forward(_rows(x), array_of(weight), _rows(y), np.float32(eps))
    return y


@torch.library.custom_op("lauter::rms_norm_backward", mutates_args=(), device_types="cpu")
def _backward(grad: Tensor, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the weight; the latter's sums do not depend on the number of threads."""
    x, grad = x.contiguous(), grad.contiguous()
    out = torch.empty_like(x)
    rows = _rows(x)
    sums = np.empty((-(-rows.shape[0] // ROWS), rows.shape[1]), np.float32)
    with threads(x.numel()):
        norm_backward(_rows(grad), rows, array_of(weight), _rows(out), sums, np.float32(eps))
    return out, torch.from_numpy(sums).sum(0, dtype=torch.float64).to(weight.dtype)


def _rows(x: Tensor) -> NDArray[Any]:
    return array_of(x).reshape(-1, x.shape[-1])


@_forward.register_fake
def _(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@_backward.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device), torch.empty_like(weight)


def _keep(ctx: BackwardCFunction, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
    x, weight, ctx.eps = inputs  # type: ignore[attr-defined]
    ctx.save_for_backward(x, weight)


def _back(ctx: BackwardCFunction, grad: Tensor) -> tuple[Tensor | None, ...]:
    eps: float = ctx.eps  # type: ignore[attr-defined]
    return *torch.ops.lauter.rms_norm_backward(grad, *ctx.saved_tensors, eps), None


_forward.register_autograd(_back, setup_context=_keep)
