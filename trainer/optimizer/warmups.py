"""How AdEMAMix's alpha and beta3 rise over the first steps (Pagliardini et al., arXiv 2409.03137, section 3)."""

from __future__ import annotations

import math

_EPSILON = 1e-8
"""Apple's code (apple/ml-ademamix) adds it inside the logarithm, the paper does not. Apertus ran Apple's: beta3 at step
1 of 1000 is 0.9499662 with it and 0.9499637 without."""


def alpha_at(step: int, alpha: float, warmup_steps: int) -> float:
    """Weight of the slow average at a step counted from 1: linear from 0, `alpha` from `warmup_steps` on.

    >>> alpha_at(50_000, 8.0, 100_000)
    4.0
    """
    return alpha * (step / warmup_steps) if step < warmup_steps else alpha


def beta3_at(step: int, beta1: float, beta3: float, warmup_steps: int) -> float:
    """Decay of the slow average at a step counted from 1: from `beta1`, `beta3` from `warmup_steps` on.

    Its half-life rises linearly, not itself: linear in beta3 would reach long memories at once (equation 4 and
    appendix A.1 of the paper).

    >>> round(beta3_at(1_000, 0.9, 0.9999, 100_000), 8)
    0.99090099
    """
    if step >= warmup_steps:
        return beta3
    part = step / warmup_steps
    half_life = (1 - part) * _half_life(beta1) + part * _half_life(beta3)
    return float(0.5 ** (1 / (half_life + 1)))


def _half_life(beta: float) -> float:
    """Steps after which an average of decay `beta` has forgotten half, less one."""
    return math.log(0.5) / math.log(beta + _EPSILON) - 1
