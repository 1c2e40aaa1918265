"""One update in plain torch, for devices other than the CPU: a few launches for many parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lauter.trainer.optimizer.coefficients import Coefficients
from lauter.trainer.optimizer.part import Part

_ELEMENTS = 1 << 26
"""Of a bucket at most, unless one parameter is larger: temporaries of three times 256 MB in float32."""


def buckets(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Runs of neighbours that one call can take: of one dtype and one decay."""
    bucket: list[Part] = []
    elements = 0
    for part in parts:
        elements += part.master.numel()
        alike = not bucket or (bucket[0].master.dtype, bucket[0].decay) == (part.master.dtype, part.decay)
        if bucket and (elements > _ELEMENTS or not alike):
            yield bucket
            bucket, elements = [], part.master.numel()
        bucket.append(part)
    if bucket:
        yield bucket


def update(parts: Sequence[Part], c: Coefficients) -> None:
    """Apply `Coefficients` in place to the parts of one of `buckets`; no `slow` is AdamW.

    Gradients are left as they are. Needs three temporaries of the masters' size.
    """
    masters = [part.master for part in parts]
    fasts = [part.fast for part in parts]
    slows = [part.slow for part in parts if part.slow is not None]
    seconds = [part.second for part in parts]
    scaled = torch._foreach_mul([part.gradient.to(part.master.dtype) for part in parts], c.scale)
    torch._foreach_mul_(fasts, c.beta1)
    torch._foreach_add_(fasts, scaled, alpha=1 - c.beta1)
    torch._foreach_mul_(seconds, c.beta2)
    torch._foreach_addcmul_(seconds, scaled, scaled, value=1 - c.beta2)
    change = torch._foreach_mul(fasts, c.fast_factor)
    if slows:
        torch._foreach_mul_(slows, c.beta3)
        torch._foreach_add_(slows, scaled, alpha=1 - c.beta3)
        torch._foreach_add_(change, slows, alpha=c.alpha)
    del scaled
    divisor = torch._foreach_sqrt(seconds)
    torch._foreach_mul_(divisor, c.second_factor)
    torch._foreach_add_(divisor, c.eps)
    torch._foreach_div_(change, divisor)
    torch._foreach_add_(change, masters, alpha=parts[0].decay)
    torch._foreach_add_(masters, change, alpha=-c.rate)
    for part in parts:
        if part.weight is not None:
            part.weight.copy_(part.master)


def sums_of_squares(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Of each gradient, as scalars of dtype float64 on its device, added up in float64."""
    norms: tuple[Tensor, ...] = torch._foreach_norm(list(gradients), 2, dtype=torch.float64)
    return [norm * norm for norm in norms]


def add(totals: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Add gradients into wider tensors of their shapes, in place."""
    torch._foreach_add_(list(totals), [one.to(total.dtype) for total, one in zip(totals, gradients, strict=True)])
