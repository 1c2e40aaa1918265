"""What the optimizer keeps of one parameter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.groups import decays
from lauter.trainer.optimizer.part import Part, local

_OWN_MASTERS = (torch.float32, torch.float64)


@dataclass(slots=True)
class Slots:
    """Tensors of the parameter's shape, sharded as it is; dtype float32, or float64 for a float64 parameter."""

    name: str
    parameter: nn.Parameter
    master: Tensor
    """The value that updates go into: the parameter itself unless that is bfloat16."""
    fast: Tensor
    """Average of the gradient with decay beta1."""
    slow: Tensor | None
    """Average of the gradient with decay beta3; none in AdamW."""
    second: Tensor
    """Average of the gradient's square with decay beta2."""
    weight_decay: float
    total: Tensor | None = None
    """Sum of the gradients of several micro-batches; only where the gradient is narrower than the master."""
    summed: bool = False
    """Whether `total` holds gradients of the step under way."""

    @property
    def has_master(self) -> bool:
        """Whether the master is a tensor of its own."""
        return self.master is not self.parameter

    def take(self) -> tuple[Tensor, Tensor] | None:
        """This rank's parts of `total` and of the gradient, which is freed; None where there is nothing to sum."""
        gradient = self.parameter.grad
        if gradient is None or gradient.dtype == self.master.dtype:
            return None
        if self.total is None:
            self.total = torch.empty_like(self.master)
        self.parameter.grad = None
        return local(self.total), local(gradient).contiguous()

    def gradient(self) -> Tensor:
        """Of the step, this rank's part: the sum, or the parameter's own where nothing was summed.

        Raises:
            RuntimeError: there is none: the backward pass did not reach the parameter.
        """
        gradient = self.total if self.summed else self.parameter.grad
        if gradient is None:
            raise RuntimeError(f"{self.name} has no gradient: no backward pass has reached it since the last step")
        return local(gradient).contiguous()

    def part(self) -> Part:
        """All that an update takes.

        Raises:
            RuntimeError: there is no gradient.
        """
        slow = None if self.slow is None else local(self.slow)
        weight = local(self.parameter) if self.has_master else None
        second, decay = local(self.second), self.weight_decay
        return Part(self.gradient(), local(self.master), local(self.fast), slow, second, weight, decay)

    def write_weight(self) -> None:
        """Round the master into the parameter."""
        if self.has_master:
            local(self.parameter).copy_(local(self.master))


def make_slots(name: str, parameter: nn.Parameter, section: OptimizerSection) -> Slots:
    """Averages at 0, and a master with the parameter's value where it is bfloat16.

    Raises:
        ValueError: the parameter is of another dtype, on the device "meta", or not contiguous.
    """
    if parameter.dtype not in (torch.bfloat16, *_OWN_MASTERS):
        raise ValueError(f"{name} is {parameter.dtype}: the optimizer takes bfloat16, float32 and float64")
    if parameter.is_meta:
        raise ValueError(f"{name} is on the device 'meta': give it memory and values first")
    if not local(parameter).is_contiguous():
        raise ValueError(f"{name} is not contiguous in memory: the optimizer works on it as on one row of numbers")
    value = parameter.detach()
    master = parameter if parameter.dtype in _OWN_MASTERS else value.to(torch.float32)

    def zeros() -> Tensor:
        return torch.zeros_like(value, dtype=master.dtype)

    slow = zeros() if section.name == "ademamix" else None
    decay = section.weight_decay if decays(name, parameter) else 0.0
    return Slots(name, parameter, master, zeros(), slow, zeros(), decay)
