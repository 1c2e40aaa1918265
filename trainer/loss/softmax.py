"""Softmax and cross-entropy of one chunk of logits, which the gradient replaces in place."""

from __future__ import annotations

import torch
from torch import Tensor


def losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihoods and logsumexps of rows of logits.

    Args:
        logits: Shape (rows, V), bf16, fp32 or fp64.
        labels: Ids below V, shape (rows,), dtype int64.

    Returns:
        Both of shape (rows,), fp64 for fp64 logits, else fp32.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    lse = wide.logsumexp(1)
    return lse - wide.gather(1, labels[:, None])[:, 0], lse


def losses_and_gradients(logits: Tensor, labels: Tensor, scale: float, z_loss: float) -> tuple[Tensor, Tensor]:
    """As `losses`; then the logits become scale x d(nll + z_loss x lse^2) / d(logits).

    That is scale x (softmax x (1 + 2 z_loss lse) - one_hot(label)).
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    lse = wide.logsumexp(1)
    places = labels[:, None]
    nll = lse - wide.gather(1, places)[:, 0]
    gradient = (wide - lse[:, None]).exp_().mul_(((1 + 2 * z_loss * lse) * scale)[:, None])
    gradient.scatter_add_(1, places, gradient.new_full(places.shape, -scale))
    logits.copy_(gradient)
    return nll, lse
