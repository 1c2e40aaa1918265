"""Attention over tokens that ranks share: keys and values are passed round (Ring Attention, arXiv 2310.01889)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.attention.partial import Partial, every, every_gradients, merge, own, own_gradients, wide
from lauter.trainer.batch import Part

_KEYS, _GRADIENTS = 0, 1
"""Tags of two messages that may be under way between the same ranks."""


def ring_attention(q: Tensor, k: Tensor, v: Tensor, part: Part, group: dist.ProcessGroup) -> Tensor:
    """As `attention.attention` for this rank's tokens, of which `part` tells; all ranks of `group` call it.

    Of N ranks each sends N - 1 times as many keys and values as it has, to the next one only, while it attends to those
    that it has; the same in the backward pass, and there their gradients as well, in fp32, which come to their owner
    last. No rank ever holds more than two ranks' keys and values.
    """
    seen: Tensor = _Ring.apply(q, k, v, part, group)  # type: ignore[no-untyped-call]  # torch's apply is untyped
    return seen


class _Ring(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, part: Part, group: dist.ProcessGroup) -> Tensor:  # noqa: ANN401
        seen = wide(own(q, k, v, part.own))
        for owner, both in _round(k, v, group):
            for rows, keys in _at(part, owner, len(k), group.size()):
                merge(seen.rows(rows), every(q[rows], both[keys, 0], both[keys, 1]))
        result = seen.seen.to(q.dtype)
        ctx.save_for_backward(q, k, v, result, seen.normalisers)
        ctx.part, ctx.group = part, group
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        q, k, v, result, normalisers = ctx.saved_tensors
        part, group, whole, grad = ctx.part, ctx.group, Partial(result, normalisers), grad.contiguous()
        dq, dk, dv = (x.to(normalisers.dtype) for x in own_gradients(grad, q, k, v, part.own, whole))
        mine, passing = torch.stack((dk, dv), dim=1), None
        for owner, both in _round(k, v, group):
            # What this rank finds for another joins what those before it found, and goes on with the next step.
            sums = mine if owner == group.rank() else torch.zeros_like(mine)
            for rows, keys in _at(part, owner, len(k), group.size()):
                found = every_gradients(grad[rows], q[rows], both[keys, 0], both[keys, 1], whole.rows(rows))
                dq[rows] += found[0]
                sums[keys, 0] += found[1]
                sums[keys, 1] += found[2]
            if owner != group.rank():
                if passing is not None:
                    sums += passing.received()
                passing = _Passing(sums, group, _GRADIENTS)
        if passing is not None:
            mine += passing.received()
        return dq.to(q.dtype), mine[:, 0].to(k.dtype), mine[:, 1].to(v.dtype), None, None


class _Passing:
    """A tensor on its way to the next rank, and one like it from the one before."""

    def __init__(self, tensor: Tensor, group: dist.ProcessGroup, tag: int) -> None:
        self._sent, self._received = tensor, torch.empty_like(tensor)
        after, before = (group.rank() + 1) % group.size(), (group.rank() - 1) % group.size()
        self._works = dist.batch_isend_irecv(
            [
                dist.P2POp(dist.isend, self._sent, group=group, tag=tag, group_peer=after),
                dist.P2POp(dist.irecv, self._received, group=group, tag=tag, group_peer=before),
            ]
        )

    def received(self) -> Tensor:
        """Wait for it."""
        for work in self._works:
            work.wait()
        return self._received


def _round(k: Tensor, v: Tensor, group: dist.ProcessGroup) -> Iterator[tuple[int, Tensor]]:
    """Each rank's keys and values, (rows, 2, kv_heads, head_dim), with whose they are: this rank's own first.

    While the caller looks at one, the next is under way.
    """
    both = torch.stack((k, v), dim=1)
    for step in range(group.size()):
        passing = _Passing(both, group, _KEYS) if step < group.size() - 1 else None
        yield (group.rank() - step) % group.size(), both
        if passing is not None:
            both = passing.received()


def _at(part: Part, owner: int, rows: int, count: int) -> Iterator[tuple[slice, slice]]:
    """What this rank's earlier documents have on one rank: their queries here, their keys there."""
    chunk = rows // 2
    for one in part.earlier:
        for here, number in ((0, owner), (chunk, 2 * count - 1 - owner)):
            start, stop = max(one.keys.start - number * chunk, 0), min(one.keys.stop - number * chunk, chunk)
            if start < stop:
                yield one.queries, slice(here + start, here + stop)
