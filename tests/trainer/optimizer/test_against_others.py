"""AdEMAMix and AdamW against the papers' formulas, pytorch_optimizer and torch."""

from __future__ import annotations

import math

import pytest
import pytorch_optimizer
import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.optimizer import Optimizer
from tests.trainer.optimizer.held import (
    ADAMW,
    PAPER,
    RATE,
    SHAPES,
    STEPS,
    Gradient,
    Parameters,
    difference,
    gradient,
    parameters,
    run,
)


def paper(held: Parameters, section: OptimizerSection, *, half_life_epsilon: float = 1e-8) -> dict[str, list[float]]:
    """AdEMAMix written down from the paper's formulas, element by element, in Python's own float64.

    Algorithm 1 and section 3 of arXiv 2409.03137; `half_life_epsilon` as in Apple's code.
    """

    def half_life(beta: float) -> float:
        return math.log(0.5) / math.log(beta + half_life_epsilon) - 1

    values = {name: parameter.detach().flatten().tolist() for name, parameter in held.items()}
    moments = {name: [[0.0] * len(one) for _ in range(3)] for name, one in values.items()}
    b1, b2, warmup = section.beta1, section.beta2, section.warmup_steps
    for t in range(1, STEPS + 1):
        alpha, b3 = section.alpha, section.beta3
        if t < warmup:
            alpha = t * section.alpha / warmup
            mixed = (1 - t / warmup) * half_life(b1) + t / warmup * half_life(section.beta3)
            b3 = 0.5 ** (1 / (mixed + 1))
        for name, one in values.items():
            decay = section.weight_decay if len(SHAPES[name]) > 1 else 0.0
            grads = gradient(t, name, torch.tensor(one, dtype=torch.float64).reshape(SHAPES[name])).flatten().tolist()
            m1, m2, v = moments[name]
            for i, g in enumerate(grads):
                m1[i] = b1 * m1[i] + (1 - b1) * g
                m2[i] = b3 * m2[i] + (1 - b3) * g
                v[i] = b2 * v[i] + (1 - b2) * g * g
                corrected, divisor = m1[i] / (1 - b1**t), math.sqrt(v[i] / (1 - b2**t)) + section.eps
                one[i] -= RATE * ((corrected + alpha * m2[i]) / divisor + decay * one[i])
    return values


@pytest.mark.parametrize("warmup", [0, 100, 1000], ids=["none", "within", "beyond"])
def test_ademamix_is_the_papers(warmup: int) -> None:
    section = PAPER.model_copy(update={"warmup_steps": warmup})
    held = parameters()
    expected = {name: torch.tensor(one, dtype=torch.float64) for name, one in paper(held, section).items()}
    optimizer = Optimizer(held.items(), section)
    run(optimizer, held, range(1, STEPS + 1))
    assert optimizer.steps == STEPS
    assert difference(held, expected) <= 1e-12


def pytorch_optimizers(held: Parameters, warmup: int, rate: float, grad: Gradient) -> dict[str, Tensor]:
    groups = [{"params": [one], "weight_decay": 0.1 if one.ndim > 1 else 0.0} for one in held.values()]
    theirs = pytorch_optimizer.AdEMAMix(
        groups,
        lr=rate,
        betas=(0.9, 0.999, 0.9999),
        alpha=8.0,
        t_alpha_beta3=warmup or None,
        weight_decouple=True,
        eps=1e-8,
    )
    for step in range(1, STEPS + 1):
        for name, parameter in held.items():
            parameter.grad = grad(step, name, parameter)
        theirs.step()
    return {name: one.detach() for name, one in held.items()}


def test_ademamix_without_warmups_is_pytorch_optimizers() -> None:
    held = parameters()
    run(Optimizer(held.items(), PAPER.model_copy(update={"warmup_steps": 0})), held, range(1, STEPS + 1))
    assert difference(held, pytorch_optimizers(parameters(), 0, RATE, gradient)) <= 1e-13


def test_ademamix_differs_from_pytorch_optimizers_by_apples_constant_only() -> None:
    theirs = pytorch_optimizers(parameters(), 100, RATE, gradient)
    without = paper(parameters(), PAPER, half_life_epsilon=0.0)
    held = {name: nn.Parameter(torch.tensor(one, dtype=torch.float64)) for name, one in without.items()}
    assert difference(held, {name: one.flatten() for name, one in theirs.items()}) <= 1e-12


def test_ademamix_with_warmups_is_near_pytorch_optimizers() -> None:
    def noise(step: int, name: str, parameter: Tensor) -> Tensor:
        return gradient(step, name, torch.zeros_like(parameter))

    held = parameters()
    run(Optimizer(held.items(), PAPER), held, range(1, STEPS + 1), noise, rate=1e-3)
    assert difference(held, pytorch_optimizers(parameters(), 100, 1e-3, noise)) <= 2.5e-6


def test_adamw_is_torchs() -> None:
    held, other = parameters(), parameters()
    groups = [{"params": [one], "weight_decay": 0.1 if one.ndim > 1 else 0.0} for one in other.values()]
    theirs = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    run(Optimizer(held.items(), ADAMW), held, range(1, STEPS + 1))
    for step in range(1, STEPS + 1):
        for name, parameter in other.items():
            parameter.grad = gradient(step, name, parameter)
        theirs.step()
    assert difference(held, {name: one.detach() for name, one in other.items()}) <= 1e-12
