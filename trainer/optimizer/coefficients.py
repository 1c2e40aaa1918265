"""The numbers of one update, the same for every element."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.warmups import alpha_at, beta3_at


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What an update does to gradient g, averages m1 (fast), m2 (slow) and v (second), and parameter p, in this order.

        g  = scale g
        m1 = beta1 m1 + (1 - beta1) g
        m2 = beta3 m2 + (1 - beta3) g
        v  = beta2 v + (1 - beta2) g^2
        p  = p - rate ((fast_factor m1 + alpha m2) / (second_factor sqrt(v) + eps) + decay p)

    The factors correct the bias of m1 and v; m2 starts at 0 and is not corrected (Pagliardini et al., arXiv
    2409.03137, algorithm 1; AdamW has no m2: Loshchilov & Hutter, arXiv 1711.05101, algorithm 2).
    """

    rate: float
    scale: float
    beta1: float
    beta2: float
    beta3: float
    alpha: float
    fast_factor: float
    second_factor: float
    eps: float

    def array(self, dtype: DTypeLike) -> NDArray[np.floating]:
        """As the kernels take them, shape (12,), each rounded once.

        1 - beta is rounded apart: in float32, 1 - 0.9999 from a rounded 0.9999 is wrong in the fourth digit.
        """
        values = (
            self.rate, self.scale, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, self.beta3,
            1 - self.beta3, self.alpha, self.fast_factor, self.second_factor, self.eps,
        )  # fmt: skip
        return np.array(values, dtype)


def coefficients(section: OptimizerSection, step: int, rate: float, scale: float) -> Coefficients:
    """Of the update with this number, counted from 1, at learning rate `rate` for gradients times `scale`."""
    slow = section.name == "ademamix"
    return Coefficients(
        rate=rate,
        scale=scale,
        beta1=section.beta1,
        beta2=section.beta2,
        beta3=beta3_at(step, section.beta1, section.beta3, section.warmup_steps) if slow else 0.0,
        alpha=alpha_at(step, section.alpha, section.warmup_steps) if slow else 0.0,
        fast_factor=1 / (1 - section.beta1**step),
        second_factor=1 / math.sqrt(1 - section.beta2**step),
        eps=section.eps,
    )
