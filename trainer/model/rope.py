"""Rotary position embeddings (Su et al., arXiv 2104.09864) with Llama 3.1's scaling of slow frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lauter.trainer.model.shape import ModelShape


def inverse_frequencies(shape: ModelShape) -> Tensor:
    """Radians a position by which each pair of dimensions turns: shape (head_dim / 2,), fp32, on the CPU.

    f = theta^(-2i / head_dim). With `rope_scaling` (the rule of Llama 3.1, `llama3` in transformers): a wavelength
    2 pi / f above original / low is slowed by `factor`, below original / high it stays, between it is interpolated.
    Always fp32: in bf16 the angle at position 4,096 would be wrong by up to 8 radians.
    """
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32, device="cpu") / shape.head_dim
    frequencies = 1.0 / (shape.rope_theta**exponents)
    scaling = shape.rope_scaling
    if scaling is None:
        return frequencies
    longest = scaling.original_positions / scaling.low_frequency_factor
    shortest = scaling.original_positions / scaling.high_frequency_factor
    wavelengths = 2 * math.pi / frequencies
    slowed = torch.where(wavelengths > longest, frequencies / scaling.factor, frequencies)
    share = (scaling.original_positions / wavelengths - scaling.low_frequency_factor) / (
        scaling.high_frequency_factor - scaling.low_frequency_factor
    )
    between = (1 - share) * slowed / scaling.factor + share * slowed
    return torch.where((wavelengths >= shortest) & (wavelengths <= longest), between, slowed)


def cos_sin(positions: Tensor, frequencies: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every place's angles, each of shape (T, head_dim): both halves are the same.

    `positions` has shape (T,), any integer dtype; `frequencies` comes from `inverse_frequencies`. Angles are fp32, the
    result is rounded to `dtype` once.
    """
    half = positions[:, None].float() * frequencies.to(positions.device)
    angles = torch.cat((half, half), dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + head_dim / 2) of `x`, shape (T, heads, head_dim), by the angles of `cos_sin`."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, None] + torch.cat((-second, first), dim=-1) * sin[:, None]
