"""The norm of the whole gradient, over all its shards, and what it is clipped by."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

_EPSILON = 1e-6
"""Added to the norm before dividing, as in torch's `clip_grad_norm_` and in Megatron-LM."""


def clip_scale(norm: float, clip: float | None) -> float:
    """What gradients are multiplied by so that their norm is at most `clip`; None never clips.

    >>> clip_scale(0.05, 0.1), round(clip_scale(10.0, 0.1), 6)
    (1.0, 0.01)
    """
    return 1.0 if clip is None else min(1.0, clip / (norm + _EPSILON))


def total_norm(parts: Iterable[tuple[Tensor, Tensor]], stages: dist.ProcessGroup | None = None) -> float:
    """Euclidean norm over all ranks, from pairs of a parameter and the sum of its local gradient's squares.

    The sums are float64 scalars. Shards are added over the dimensions of the device mesh that shard the parameter, and
    only over those: a replicated parameter counts once (counted once a rank in TransformerEngine#715; mixed with plain
    tensors wrong in torchtune#2420). Every rank gets the same number.

    Args:
        parts: Of all parameters of this rank.
        stages: The ranks of a pipeline, of which each has other parameters; their squares are added as well.

    Raises:
        ValueError: a parameter whose value is spread over ranks as partial sums.
    """
    whole: list[Tensor] = []
    shared: dict[tuple[DeviceMesh, tuple[int, ...]], list[Tensor]] = {}
    for parameter, squares in parts:
        if not isinstance(parameter, DTensor):
            whole.append(squares)
            continue
        if any(placement.is_partial() for placement in parameter.placements):
            raise ValueError(f"a parameter of placements {parameter.placements}: partial sums are no parameter")
        dimensions = tuple(
            index for index, placement in enumerate(parameter.placements) if not placement.is_replicate()
        )
        shared.setdefault((parameter.device_mesh, dimensions), []).append(squares)
    for (mesh, dimensions), squares_of in shared.items():
        total = torch.stack(squares_of).sum()
        for dimension in dimensions:
            dist.all_reduce(total, group=mesh.get_group(dimension))
        whole.append(total)
    total = torch.stack(whole).sum() if whole else torch.zeros((), dtype=torch.float64)
    if stages is not None:
        dist.all_reduce(total, group=stages)
    return math.sqrt(float(total))
