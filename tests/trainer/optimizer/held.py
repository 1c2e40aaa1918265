"""Small parameters, gradients that pull at them, and a run of an optimizer over both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.optimizer import Optimizer

STEPS = 300
RATE = 1e-2
PAPER = OptimizerSection(warmup_steps=100, clip=None)
ADAMW = OptimizerSection(name="adamw", clip=None)
SHAPES = {"proj.weight": (8, 6), "norm.weight": (6,), "act_fn.alpha_p": (1,), "embed.weight": (16, 6)}

Parameters = dict[str, nn.Parameter]
Gradient = Callable[[int, str, Tensor], Tensor]


def parameters(dtype: torch.dtype = torch.float64) -> Parameters:
    generator = torch.Generator().manual_seed(0)
    values = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in SHAPES.items()}
    return {name: nn.Parameter(value.to(dtype)) for name, value in values.items()}


def gradient(step: int, name: str, parameter: Tensor) -> Tensor:
    """Noise, and a pull towards 0 so that the path depends on all that came before."""
    generator = torch.Generator().manual_seed(step * 100 + len(name))
    noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return 0.1 * noise.to(parameter.dtype) + 0.05 * parameter.detach()


def run(optimizer: Optimizer, held: Parameters, steps: range, grad: Gradient = gradient, *, rate: float = RATE) -> None:
    for step in steps:
        for name, parameter in held.items():
            parameter.grad = grad(step, name, parameter)
        optimizer.step(rate, optimizer.gradient_norm())
        optimizer.zero_grad()


def difference(held: Parameters, other: dict[str, Tensor]) -> float:
    """Norm of the difference of all, relative to the norm of all."""
    ours = torch.cat([one.detach().double().flatten() for one in held.values()])
    theirs = torch.cat([other[name].double().flatten() for name in held])
    return float((ours - theirs).norm() / theirs.norm())
