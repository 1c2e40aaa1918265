"""What is sent within a tensor group, each with its way back: f, g and g-bar of arXiv 1909.08053 and 2205.05198.

A product whose rows are shared needs all tokens on every rank before it; one whose columns are shared leaves a sum over
the ranks behind it. Written as functions with a gradient, so that a reader sees every message, and over torch's
functional operators, which `torch.compile` follows.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
import torch.distributed as dist
from torch import Tensor


class Group(NamedTuple):
    """The ranks of a tensor group, and this one's place among them."""

    name: str
    """torch's name of the process group."""
    size: int
    at: int

    @staticmethod
    def of(group: dist.ProcessGroup) -> Group:
        """From a process group that this rank is in."""
        return Group(group.group_name, dist.get_world_size(group), dist.get_rank(group))


def copied(x: Tensor, group: Group) -> Tensor:
    """The same tokens on all ranks, before products that differ: f. Backward: the sum over the ranks."""
    return cast(Tensor, _Copied.apply(x, group.name))  # type: ignore[no-untyped-call]


def summed(x: Tensor, group: Group) -> Tensor:
    """The sum over the ranks, on all of them: g. Backward: each gets the gradient, which all have alike."""
    return cast(Tensor, _Summed.apply(x, group.name))  # type: ignore[no-untyped-call]


def gathered(x: Tensor, group: Group) -> Tensor:
    """All ranks' tokens in order, (T / ranks, …) to (T, …), before products that differ: g. Backward: `scattered`."""
    return cast(Tensor, _Gathered.apply(x, group.name, group.size))  # type: ignore[no-untyped-call]


def scattered(x: Tensor, group: Group) -> Tensor:
    """This rank's tokens of the sum over the ranks, (T, …) to (T / ranks, …): g-bar. Backward: `gathered`."""
    return cast(Tensor, _Scattered.apply(x, group.name, group.size))  # type: ignore[no-untyped-call]


def collected(x: Tensor, group: Group) -> Tensor:
    """As `gathered`, for what all ranks then do alike. Backward: this rank's tokens of a gradient that all have."""
    return cast(Tensor, _Collected.apply(x, group.name, group.size, group.at))  # type: ignore[no-untyped-call]


def all_reduce_begun(x: Tensor, name: str) -> Tensor:
    """Under way to be the sum over a group: see `arrived`. No gradient."""
    return cast(Tensor, torch.ops._c10d_functional.all_reduce(x.contiguous(), "sum", name))


def all_gather_begun(x: Tensor, name: str, size: int) -> Tensor:
    """Under way to be the tokens of all ranks."""
    return cast(Tensor, torch.ops._c10d_functional.all_gather_into_tensor(x.contiguous(), size, name))


def reduce_scatter_begun(x: Tensor, name: str, size: int) -> Tensor:
    """Under way to be this rank's tokens of the sum."""
    return cast(Tensor, torch.ops._c10d_functional.reduce_scatter_tensor(x.contiguous(), "sum", size, name))


def arrived(x: Tensor) -> Tensor:
    """What is under way, once it is there; before, no element of it may be read."""
    return cast(Tensor, torch.ops._c10d_functional.wait_tensor(x))


def all_reduce(x: Tensor, name: str) -> Tensor:
    """The sum over a group, a new tensor; no gradient."""
    return arrived(all_reduce_begun(x, name))


def _all_gather(x: Tensor, name: str, size: int) -> Tensor:
    return arrived(all_gather_begun(x, name, size))


def _reduce_scatter(x: Tensor, name: str, size: int) -> Tensor:
    return arrived(reduce_scatter_begun(x, name, size))


class _Copied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str) -> Tensor:  # noqa: ANN401
        ctx.name = name
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return all_reduce(grad, ctx.name), None


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str) -> Tensor:  # noqa: ANN401
        return all_reduce(x, name)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return grad, None


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, size: int) -> Tensor:  # noqa: ANN401
        ctx.name, ctx.size = name, size
        return _all_gather(x, name, size)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _reduce_scatter(grad, ctx.name, ctx.size), None, None


class _Scattered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, size: int) -> Tensor:  # noqa: ANN401
        ctx.name, ctx.size = name, size
        return _reduce_scatter(x, name, size)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _all_gather(grad, ctx.name, ctx.size), None, None


class _Collected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, size: int, at: int) -> Tensor:  # noqa: ANN401
        ctx.size, ctx.at = size, at
        return _all_gather(x, name, size)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        return grad.chunk(ctx.size)[ctx.at], None, None, None
