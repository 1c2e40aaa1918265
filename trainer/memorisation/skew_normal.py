"""The skew-normal distribution, fitted to a sample: how likely is a value far below all of it?

Azzalini (1985), A class of distributions which includes the normal ones; Carlini et al. (2019), section 4.3, fit it to
the losses of random texts, to tell exposures beyond the number of texts that were looked at.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

_MOST_SKEWNESS = 0.99
"""A skew-normal distribution has less than 0.9953; a sample may have more."""
_STEPS, _WIDTH = 4096, 12.0
"""Of the integral: below 12 units under the bound there is less than e^-72 of what is above."""
_HIGHEST = 6.0
"""Of the bound, in units: less than 4e-9 of any such distribution lies further from its location on one side."""


class SkewNormal(NamedTuple):
    """Location, scale and shape; density 2 / scale x phi(z) x Phi(shape x z), z = (x - location) / scale."""

    location: float
    scale: float
    shape: float


def fit(sample: Tensor) -> SkewNormal:
    """By the method of moments; a sample without spread gets the smallest scale there is.

    `sample` has the shape (n,), fp64, n at least 2.
    """
    mean, deviation = float(sample.mean()), max(float(sample.std()), 1e-12)
    skewness = float((((sample - mean) / deviation) ** 3).mean())
    skewness = min(max(skewness, -_MOST_SKEWNESS), _MOST_SKEWNESS)
    # The inverse of the third moment: |delta|^2 = pi/2 x g / (g + ((4 - pi)/2)^(2/3)), g = |skewness|^(2/3).
    power = abs(skewness) ** (2 / 3)
    square = math.pi / 2 * power / (power + ((4 - math.pi) / 2) ** (2 / 3))
    delta = math.copysign(math.sqrt(square), skewness)
    scale = deviation / math.sqrt(1 - 2 * square / math.pi)
    location = mean - scale * delta * math.sqrt(2 / math.pi)
    return SkewNormal(location, scale, delta / math.sqrt(1 - square))


def log2_below(bound: float | Tensor, fitted: SkewNormal) -> float:
    """log2 of the probability of a value of at most `bound`; the density is summed in logarithms, as it may be tiny."""
    top = min((float(bound) - fitted.location) / fitted.scale, _HIGHEST)
    step = _WIDTH / _STEPS
    # From the middle of each strip: the sum of so smooth a function is exact to about step^2.
    z = top - step * (torch.arange(_STEPS, dtype=torch.float64) + 0.5)
    log_density = math.log(2 / math.sqrt(2 * math.pi)) - z**2 / 2 + torch.special.log_ndtr(fitted.shape * z)
    total = float(torch.logsumexp(log_density, 0)) + math.log(step)
    return min(total, 0.0) / math.log(2)
