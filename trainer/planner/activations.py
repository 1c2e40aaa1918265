"""What a layer keeps for its backward pass, and what it needs for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape

Precision = Literal["bf16", "fp32", "fp64"]
WIDTH = {"bf16": 2, "fp32": 4, "fp64": 8}
"""Bytes of an activation."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes of one layer and one micro-batch on one rank."""

    kept: int
    """From the forward pass to the backward pass."""
    again: int
    """What recomputation brings back for the layer whose backward pass is under way."""
    passing: int
    """Gradients of activations at the widest point of a layer's backward pass."""
    state: int
    """The hidden state between two layers."""


def activations(
    shape: ModelShape, section: ParallelSection, tokens: int, precision: Precision, *, fused: bool
) -> Activations:
    """By what each operation of `model.layer` saves.

    A token and layer: the residual stream before each norm; the norms' results, which the projections keep; queries and
    keys before and after QK-norm with RoPE, values, what attention gives with its normalisers (fp32 a head); the MLP's
    width before and after xIELU. In Apertus these are 18.25 widths of the model. Queries, keys, values and the MLP are
    shared by a tensor group; with `sequence` the residual stream and the norms' results are too, and these are gathered
    before the products, forward and backward (`parallel.tensor.products`).

    Args:
        shape: Of the model.
        section: How ranks share the work; `tensor`, `sequence` and `recompute` count.
        tokens: Of a micro-batch, those of other ranks of a context group left out.
        precision: Of activations.
        fused: Whether norms, QK-norm and xIELU are one pass each, which keeps their input only: so on a CPU in bf16 and
            fp32, and assumed where layers are compiled. Otherwise torch keeps a norm's input in fp32 and its quotient,
            and four values and a mask of xIELU.
    """
    b, ranks = WIDTH[precision], section.tensor
    wide = max(b, 4)
    rows = 1 if not section.sequence else ranks
    heads = shape.heads * shape.head_dim // ranks
    keys = shape.kv_heads * shape.head_dim // min(ranks, shape.kv_heads)
    width = shape.feed_forward // ranks
    # In fp32 and fp64 "wide" is the input itself.
    norm = b if fused else wide + b
    stream = 2 * shape.hidden * (norm + b) // rows
    attention = (heads + keys) * norm + (2 * heads + 2 * keys) * b + shape.heads // ranks * wide
    # The mask is a byte.
    mlp = 2 * width * b if fused else width * (5 * b + 1)
    everything = stream + attention + mlp
    kept = {
        "none": everything,
        "selective": everything - mlp,
        "full": shape.hidden * b // rows,
    }[section.recompute]
    again = everything - kept if section.recompute != "none" else 0
    passing = (width + (2 if rows == 1 else 3) * shape.hidden) * b
    return Activations(tokens * kept, tokens * again, tokens * passing, tokens * shape.hidden * b // rows)
