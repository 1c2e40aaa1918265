"""What a module computes with: its rank's part of a parameter."""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor


def local(parameter: Tensor) -> Tensor:
    """This rank's part as a plain tensor, and the way of its gradient back; the parameter itself unless a DTensor.

    Tensor parallelism describes parameters as DTensors (a shape, and who holds what of it), and modules compute on
    plain tensors: kernels see memory, and what is sent between ranks stands where it is sent (`parallel.tensor`), not
    in an operator's dispatch. The gradient that comes back is this rank's own, unreduced.
    """
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter
