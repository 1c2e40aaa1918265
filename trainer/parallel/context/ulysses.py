"""Attention over tokens that ranks share: heads are swapped for tokens (DeepSpeed-Ulysses, arXiv 2309.14509)."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.attention.attention import attention
from lauter.trainer.batch import Bounds
from lauter.trainer.parallel.context.split import by_rank, in_order


def ulysses_attention(q: Tensor, k: Tensor, v: Tensor, bounds: Bounds, group: dist.ProcessGroup) -> Tensor:
    """As `attention.attention` for this rank's tokens of those in `bounds`; all ranks of `group` call it.

    Each rank attends over all T tokens with 1 / N of the heads, and sends (N - 1) / N of its queries, keys, values and
    results, in the backward pass as many of their gradients. Heads of keys that are fewer than N are repeated before.
    `heads` must be a multiple of N; `kv_heads` a multiple or a divisor of it (see `split.require_shares`).
    """
    count = group.size()
    if k.shape[1] < count:
        # The gradients of the copies are summed where they were made.
        k, v = (x.repeat_interleave(count // k.shape[1], dim=1) for x in (k, v))
    # One message for all three: (count, T / count, heads of q, k and v for one rank, head_dim).
    sent = torch.cat([x.unflatten(1, (count, -1)) for x in (q, k, v)], dim=2).transpose(0, 1)
    received = in_order(_swapped(sent, group))
    heads, kv_heads = q.shape[1] // count, k.shape[1] // count
    queries, keys, values = received.split((heads, kv_heads, kv_heads), dim=1)
    seen = attention(queries, keys, values, bounds)
    return _swapped(by_rank(seen, count), group).transpose(0, 1).flatten(1, 2)


def _swapped(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    swapped: Tensor = _Swap.apply(tensor, group)  # type: ignore[no-untyped-call]  # torch's apply is untyped
    return swapped


class _Swap(torch.autograd.Function):
    """Row r of this rank's goes to rank r, which puts it in the row of whom it is from: its own inverse."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: dist.ProcessGroup) -> Tensor:  # noqa: ANN401
        ctx.group = group
        tensor = tensor.contiguous()
        swapped = torch.empty_like(tensor)
        dist.all_to_all_single(swapped, tensor, group=group)
        return swapped

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _swapped(grad, ctx.group), None
