"""One parameter on one rank, as an update sees it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.distributed.tensor import DTensor


class Part(NamedTuple):
    """Plain tensors of one shape, detached and contiguous; the averages are of the master's dtype."""

    gradient: Tensor
    """bfloat16 or the master's dtype."""
    master: Tensor
    """float32 or float64."""
    fast: Tensor
    slow: Tensor | None
    """None in AdamW."""
    second: Tensor
    weight: Tensor | None
    """bfloat16; None where the master is the weight."""
    decay: float
    """Weight decay of this parameter."""


def local(tensor: Tensor) -> Tensor:
    """This rank's part, detached: the tensor itself unless it is a DTensor."""
    part = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return part.detach()
