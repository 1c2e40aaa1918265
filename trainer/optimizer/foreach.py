"""One update in plain torch, for devices other than the CPU: a few launches for many parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lauter.trainer.optimizer.coefficients import Coefficients


def update(
    masters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    fast: Sequence[Tensor],
    slow: Sequence[Tensor] | None,
    second: Sequence[Tensor],
    c: Coefficients,
    decay: float,
) -> None:
    """Apply `Coefficients` in place to parameters of one dtype on one device; no `slow` is AdamW.

    Gradients may be of a narrower dtype and are left as they are. Needs three temporaries of the masters' size.
    """
    scaled = [gradient.to(master.dtype) for gradient, master in zip(gradients, masters, strict=True)]
    scaled = torch._foreach_mul(scaled, c.scale)
    torch._foreach_mul_(fast, c.beta1)
    torch._foreach_add_(fast, scaled, alpha=1 - c.beta1)
    torch._foreach_mul_(second, c.beta2)
    torch._foreach_addcmul_(second, scaled, scaled, value=1 - c.beta2)
    change = torch._foreach_mul(fast, c.fast_factor)
    if slow is not None:
        torch._foreach_mul_(slow, c.beta3)
        torch._foreach_add_(slow, scaled, alpha=1 - c.beta3)
        torch._foreach_add_(change, slow, alpha=c.alpha)
    del scaled
    divisor = torch._foreach_sqrt(second)
    torch._foreach_mul_(divisor, c.second_factor)
    torch._foreach_add_(divisor, c.eps)
    torch._foreach_div_(change, divisor)
    if decay:
        torch._foreach_add_(change, masters, alpha=decay)
    torch._foreach_add_(masters, change, alpha=-c.rate)


def sums_of_squares(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Of each gradient, as scalars of dtype float64 on its device, added up in float64."""
    norms: list[Tensor] = torch._foreach_norm(gradients, 2, dtype=torch.float64)
    return [norm * norm for norm in norms]
