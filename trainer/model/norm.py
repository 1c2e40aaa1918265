"""RMSNorm (Zhang and Sennrich, arXiv 1910.07467)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """w * x / sqrt(mean(x^2) + eps) over the last dimension.

    The mean and the quotient are taken in fp32 (fp64 for fp64), rounded to the input's dtype, then scaled by the
    weight: the order of transformers' `ApertusRMSNorm`, so that bf16 results are equal to the bit.
    """

    def __init__(self, width: int, eps: float, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, device=device, dtype=dtype))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Any shape (..., width); the same shape and dtype."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)
