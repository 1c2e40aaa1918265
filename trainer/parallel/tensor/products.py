"""Products whose rows are shared: each rank computes its own features of all tokens, and keeps its own tokens only.

What is gathered before the products is let go after them and gathered once more in the backward pass (arXiv 2205.05198,
section 4.2.2): kept, it would be 12 of 49 thousand numbers a token and layer of the 70B with 4 ranks. Messages of the
backward pass are under way while the other gradients are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from lauter.trainer.model.linear import Linear, products
from lauter.trainer.parallel.tensor.collectives import (
    Group,
    all_gather_begun,
    all_reduce_begun,
    arrived,
    copied,
    gathered,
    reduce_scatter_begun,
)


def shared_products(x: Tensor, layers: Sequence[Linear], group: Group, *, sequence: bool) -> tuple[Tensor, ...]:
    """Of each layer this rank's outputs, (T, outputs / ranks).

    Args:
        x: Tokens of this rank, (T / ranks, inputs), with `sequence`; else all, (T, inputs), the same on every rank.
        layers: Whose weights have this rank's rows.
        group: The ranks.
        sequence: Whether the tokens are shared.
    """
    if any(layer.product is not linear or layer.lora_a is not None for layer in layers):
        # Of another kind of product the gradient is not known here: what is gathered is kept. So it is with low-rank
        # parts, which have products of their own.
        whole = gathered(x, group) if sequence else copied(x, group)
        return products(whole, layers)
    weights = [layer.part() for layer in layers]
    found = _Products.apply(x, group.name, group.size, sequence, *weights)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, ...], found)


class _Products(torch.autograd.Function):
    """(x, weights) -> a product for each weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, size: int, sequence: bool, *weights: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401, FBT001 - torch's
        ctx.name, ctx.size, ctx.sequence = name, size, sequence
        ctx.save_for_backward(x, *weights)
        whole = arrived(all_gather_begun(x, name, size)) if sequence else x
        return tuple(torch.mm(whole, weight.t()) for weight in weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, *weights = ctx.saved_tensors
        wanted = ctx.needs_input_grad[4:]
        coming = all_gather_begun(x, ctx.name, ctx.size) if ctx.sequence and any(wanted) else x
        sent = None
        if ctx.needs_input_grad[0]:
            total = torch.mm(grads[0], weights[0])
            for grad, weight in zip(grads[1:], weights[1:], strict=True):
                total.addmm_(grad, weight)
            sent = (
                reduce_scatter_begun(total, ctx.name, ctx.size) if ctx.sequence else all_reduce_begun(total, ctx.name)
            )
        whole = arrived(coming) if coming is not x else x
        of_weights = [torch.mm(grad.t(), whole) if one else None for grad, one in zip(grads, wanted, strict=True)]
        return None if sent is None else arrived(sent), None, None, None, *of_weights
