"""xIELU, the activation of Apertus's MLP (Huang and Schlag, arXiv 2411.13010)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BETA = 0.5
"""Slope at 0, fixed (arXiv 2411.13010, section 4)."""

EPS = -1e-6
"""Where expm1's argument is cut, so that the branch that is not taken has a finite gradient."""


class XIELU(nn.Module):
    """a_p x^2 + b x for x > 0, a_n (expm1(x) - x) + b x otherwise, with one trainable pair of scalars.

    a_p = softplus(alpha_p) and a_n = b + softplus(alpha_n), b = 0.5; both parameters have shape (1,).
    """

    def __init__(self, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.alpha_p = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))
        self.alpha_n = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        return xielu(x, self.alpha_p, self.alpha_n)


def xielu(x: Tensor, alpha_p: Tensor, alpha_n: Tensor) -> Tensor:
    """The formula, operation by operation as in transformers' `XIELUActivation`: equal to it to the bit."""
    positive = nn.functional.softplus(alpha_p)
    negative = BETA + nn.functional.softplus(alpha_n)
    return torch.where(
        x > 0, positive * x * x + BETA * x, (torch.expm1(x.clamp(max=EPS)) - x) * negative + BETA * x
    )
