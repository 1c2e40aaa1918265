"""Softmax and cross-entropy of one chunk of logits, which the gradient replaces in place.

Logits lie with the ids first, (V, rows): so the gradient of the weight is a matrix product of plain matrices. On a CPU
all three products of the layer take 4 % less time in bf16 and 18 % less in fp32 than with the rows first (V = 131,072,
d = 256, 512 rows).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.loss.softmax_kernel import IDS, partial_sums, scaled_softmax
from lauter.trainer.loss.vocabulary import Share
from lauter.trainer.threads import threads


def losses(logits: Tensor, labels: Tensor, share: Share | None = None) -> tuple[Tensor, Tensor]:
    """Negative log-likelihoods and logsumexps.

    Args:
        logits: Shape (V, rows), bf16, fp32 or fp64; contiguous.
        labels: Ids below V, shape (rows,), dtype int64.
        share: Of which ids the logits are, where other ranks have those of others; V is then the size of the share,
            the labels are below all ids, and the results are over all.

    Returns:
        Both of shape (rows,), fp64.
    """
    lse = _logsumexp(logits) if _has_kernel(logits) else _wide(logits).logsumexp(0).double()
    if share is None:
        return lse - logits.gather(0, labels[None])[0].double(), lse
    rows, ids = share.here(labels)
    lse, at_labels = share.combined(lse, torch.zeros_like(lse).index_copy_(0, rows, logits[ids, rows].double()))
    return lse - at_labels, lse


def likeliest(logits: Tensor, share: Share | None = None) -> Tensor:
    """The id of each row's largest logit, the lowest of equals: shape (rows,), int64. Arguments as in `losses`."""
    ids = logits.argmax(0)
    return ids if share is None else share.likeliest(ids, logits.gather(0, ids[None])[0])


def losses_and_gradients(
    logits: Tensor, labels: Tensor, scales: Tensor | float, z_loss: float, share: Share | None = None
) -> tuple[Tensor, Tensor]:
    """As `losses`; then the logits become scale x d(nll + z_loss x lse^2) / d(logits).

    That is scale x (softmax x (1 + 2 z_loss lse) - one_hot(label)). There is one scale, or one for each row: shape
    (rows,), fp64.
    """
    nll, lse = losses(logits, labels, share)
    factors = scales * (1 + 2 * z_loss * lse)
    # Where the label's probability is near 1 there is little left: one rounding, after the difference.
    at_labels = (factors * (-nll).exp() - scales).to(logits.dtype)
    if _has_kernel(logits):
        exact = lse / math.log(2)
        shifts = exact.float()
        factors = factors * (shifts - exact).exp2()
        with threads(logits.numel()):
            scaled_softmax(array_of(logits), shifts.numpy(), factors.float().numpy())
    else:
        wide = _wide(logits)
        logits.copy_((wide - lse.to(wide.dtype)).exp_().mul_(factors.to(wide.dtype)))
    # Not `scatter_`, which copies all of the logits first: 180 ms of 131,072 x 512.
    if share is None:
        logits[labels, torch.arange(len(labels), device=labels.device)] = at_labels
    else:
        rows, ids = share.here(labels)
        logits[ids, rows] = at_labels[rows]
    return nll, lse


def _logsumexp(logits: Tensor) -> Tensor:
    shape = (-(-len(logits) // IDS), logits.shape[1])
    tops, sums = np.empty(shape, np.float32), np.empty(shape, np.float32)
    with threads(logits.numel()):
        partial_sums(array_of(logits), tops, sums)
    wide = torch.from_numpy(tops).double()
    top = wide.amax(0)
    total = (torch.from_numpy(sums) * (wide - top).exp2()).sum(0)
    return (top + total.log2()) * math.log(2)


def _has_kernel(logits: Tensor) -> bool:
    return logits.device.type == "cpu" and logits.dtype in (torch.bfloat16, torch.float32)


def _wide(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()
