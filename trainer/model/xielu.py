"""xIELU, the activation of Apertus's MLP (Huang and Schlag, arXiv 2411.13010)."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.nn.functional import softplus

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.model.kernels import Kernels, compiled
from lauter.trainer.model.local import local
from lauter.trainer.model.xielu_kernel import CHUNK, backward, forward
from lauter.trainer.threads import threads

BETA = 0.5
"""Slope at 0, fixed (arXiv 2411.13010, section 4)."""

EPS = -1e-6
"""Where expm1's argument is cut, so that the branch that is not taken has a finite gradient."""


class XIELU(nn.Module):
    """p x^2 + b x for x > 0, n (expm1(x) - x) + b x otherwise, with one trainable pair of scalars.

    p = softplus(alpha_p) and n = b + softplus(alpha_n), b = 0.5; both parameters have shape (1,). The coefficients are
    rounded to the parameters' dtype, as in transformers, whatever `kernels` says.
    """

    def __init__(self, *, device: torch.device | str | None, dtype: torch.dtype, kernels: Kernels = "fast") -> None:
        super().__init__()
        self.kernels: Kernels = kernels
        self.alpha_p = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))
        self.alpha_n = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        positive, negative = softplus(local(self.alpha_p)), BETA + softplus(local(self.alpha_n))
        if compiled(x, positive, self.kernels):
            return cast(Tensor, torch.ops.lauter.xielu(x, positive, negative))
        return xielu(x, positive, negative)


def xielu(x: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """The formula in the order of transformers' `XIELUActivation`: equal to it to the bit.

    In (-1e-6, 0] the cut makes the derivative b - n, as in transformers. `lauter::xielu` has b + n expm1(-1e-6) there,
    which is b to 1e-6: the derivative of the formula without the cut.
    """
    below = (torch.expm1(x.clamp(max=EPS)) - x) * negative + BETA * x
    return torch.where(x > 0, positive * x * x + BETA * x, below)


@torch.library.custom_op("lauter::xielu", mutates_args=(), device_types="cpu")
def _forward(x: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """One pass; keeps only `x` for the backward pass."""
    x = x.contiguous()
    y = torch.empty_like(x)
    with threads(x.numel()):
        forward(array_of(x).ravel(), array_of(y).ravel(), np.float32(positive.item()), np.float32(negative.item()))
    return y


@torch.library.custom_op("lauter::xielu_backward", mutates_args=(), device_types="cpu")
def _backward(grad: Tensor, x: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x and of both coefficients; sums over fixed chunks, so that they do not depend on the threads."""
    x, grad = x.contiguous(), grad.contiguous()
    out = torch.empty_like(x)
    sums = np.empty((-(-x.numel() // CHUNK), 2), np.float32)
    coefficients = np.float32(positive.item()), np.float32(negative.item())
    with threads(x.numel()):
        backward(array_of(grad).ravel(), array_of(x).ravel(), array_of(out).ravel(), sums, *coefficients)
    above, below = sums.sum(axis=0, dtype=np.float64).tolist()
    return out, torch.full_like(positive, above), torch.full_like(negative, below)


@_forward.register_fake
def _(x: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@_backward.register_fake
def _(grad: Tensor, x: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty(x.shape, dtype=x.dtype, device=x.device),
        torch.empty_like(positive),
        torch.empty_like(negative),
    )


def _keep(ctx: BackwardCFunction, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _back(ctx: BackwardCFunction, grad: Tensor) -> tuple[Tensor, ...]:
    return cast(tuple[Tensor, ...], torch.ops.lauter.xielu_backward(grad, *ctx.saved_tensors))


_forward.register_autograd(_back, setup_context=_keep)
