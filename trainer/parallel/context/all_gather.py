"""Attention over tokens that ranks share: every rank gathers all keys and values (arXiv 2407.21783, section 3.3.2)."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.attention.partial import Partial, every, every_gradients, merge, own, own_gradients, wide
from lauter.trainer.batch import Part
from lauter.trainer.parallel.context.split import by_rank, in_order


def all_gather_attention(q: Tensor, k: Tensor, v: Tensor, part: Part, group: dist.ProcessGroup) -> Tensor:
    """As `attention.attention` for this rank's tokens, of which `part` tells; all ranks of `group` call it.

    Sent by each rank of N: (N - 1) times its keys and values, once more in the backward pass, so that no layer keeps
    those of the others, and there their gradients as well, in fp32, of which it receives the sum.
    """
    seen: Tensor = _Gathered.apply(q, k, v, part, group)  # type: ignore[no-untyped-call]  # torch's apply is untyped
    return seen


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, part: Part, group: dist.ProcessGroup) -> Tensor:  # noqa: ANN401
        gathering = _Gathering(k, v, group)
        seen = wide(own(q, k, v, part.own))
        keys, values = gathering.all()
        for one in part.earlier:
            merge(seen.rows(one.queries), every(q[one.queries], keys[one.keys], values[one.keys]))
        result = seen.seen.to(q.dtype)
        ctx.save_for_backward(q, k, v, result, seen.normalisers)
        ctx.part, ctx.group = part, group
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        q, k, v, result, normalisers = ctx.saved_tensors
        part, whole, grad = ctx.part, Partial(result, normalisers), grad.contiguous()
        gathering = _Gathering(k, v, ctx.group)
        dq, dk, dv = (x.to(normalisers.dtype) for x in own_gradients(grad, q, k, v, part.own, whole))
        keys, values = gathering.all()
        # Of the keys and values of all ranks, in the order of the whole.
        sums = torch.zeros(len(keys), 2, *k.shape[1:], dtype=normalisers.dtype, device=k.device)
        for one in part.earlier:
            rows, seen = one.queries, one.keys
            found = every_gradients(grad[rows], q[rows], keys[seen], values[seen], whole.rows(rows))
            dq[rows] += found[0]
            sums[seen, 0] += found[1]
            sums[seen, 1] += found[2]
        mine = torch.empty(len(k), 2, *k.shape[1:], dtype=sums.dtype, device=k.device)
        dist.reduce_scatter_single(mine, by_rank(sums, ctx.group.size()).flatten(0, 1), group=ctx.group)
        return dq.to(q.dtype), dk.add_(mine[:, 0]).to(k.dtype), dv.add_(mine[:, 1]).to(v.dtype), None, None


class _Gathering:
    """All ranks' keys and values, under way."""

    def __init__(self, k: Tensor, v: Tensor, group: dist.ProcessGroup) -> None:
        self._mine = torch.stack((k, v), dim=1)
        self._all = self._mine.new_empty(group.size(), *self._mine.shape)
        self._work = dist.all_gather_single(self._all.flatten(0, 1), self._mine, group=group, async_op=True)

    def all(self) -> tuple[Tensor, Tensor]:
        """Wait for them: each (T, kv_heads, head_dim), in the order of the whole."""
        assert self._work is not None  # None is for those that are not of the group.
        self._work.wait()
        keys, values = in_order(self._all).unbind(dim=1)
        return keys, values
