"""Cross-entropy of a linear layer whose logits never exist as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from lauter.trainer.batch import IGNORE
from lauter.trainer.loss.softmax import losses, losses_and_gradients

CHUNK_BYTES = 128 << 20
"""Logits that exist at once."""


@dataclass(frozen=True, slots=True)
class LossTerms:
    """What a loss is made of, as sums over the labels that are not `IGNORE`."""

    total: Tensor
    """(nll + z_loss x z) / normaliser: a scalar, to be differentiated; fp64 for fp64 weights, else fp32."""
    nll: Tensor
    """Negative log-likelihoods in nats, summed: a scalar, fp64, without gradient."""
    z: Tensor
    """Squares of the logarithms of the softmax's normaliser, summed: a scalar, fp64, without gradient."""


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, labels: Tensor, *, normaliser: float, z_loss: float = 0.0
) -> LossTerms:
    """Cross-entropy of softmax(hidden @ weight.T) with the labels, and the z-loss, in memory for some rows of logits.

    nll = logsumexp(logits) - logits[label]; the z-loss is logsumexp(logits)^2 (PaLM, arXiv 2204.02311, section 5).
    Both gradients are made in the forward pass, while a chunk's logits are there: the backward pass computes nothing.
    Rows whose label is `IGNORE` are not computed. That a batch has none other is no error: the loss is 0, and so are
    the gradients.

    Args:
        hidden: The last hidden states, shape (T, d).
        weight: Of the output layer, shape (V, d), of the same dtype; its gradient has this dtype too.
        labels: Ids below V or `IGNORE`, shape (T,), dtype int64.
        normaliser: What the sum is divided by, as a rule the labels that are not `IGNORE` in the whole step, over all
            micro-batches and ranks.
        z_loss: Weight of the z-loss.

    Raises:
        ValueError: Shapes or dtypes do not fit, or the normaliser is not above 0.
        IndexError: A label is neither `IGNORE` nor an id below V.
    """
    _check(hidden, weight, labels)
    if not normaliser > 0:
        raise ValueError(f"linear_cross_entropy: normaliser must be above 0, not {normaliser}")
    differentiate = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    if differentiate:
        return LossTerms(*_LinearCrossEntropy.apply(hidden, weight, labels, normaliser, z_loss))
    kept = _kept(labels, len(weight))
    nll = torch.zeros((), dtype=torch.float64, device=hidden.device)
    z = torch.zeros_like(nll)
    for part in _chunks(len(kept), weight):
        rows = kept[part]
        row_nll, row_lse = losses(torch.mm(weight, hidden[rows].t()), labels[rows])
        nll += row_nll.sum()
        z += row_lse.square().sum()
    return LossTerms(_total(nll, z, normaliser, z_loss, weight.dtype), nll, z)


def token_losses(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of every label in nats, 0 at `IGNORE`, shape (T,), dtype fp32; without gradients.

    Arguments and errors as in `linear_cross_entropy`.
    """
    _check(hidden, weight, labels)
    result = torch.zeros(len(labels), dtype=torch.float32, device=hidden.device)
    with torch.no_grad():
        kept = _kept(labels, len(weight))
        for part in _chunks(len(kept), weight):
            rows = kept[part]
            row_nll, _ = losses(torch.mm(weight, hidden[rows].t()), labels[rows])
            result[rows] = row_nll.float()
    return result


class _LinearCrossEntropy(torch.autograd.Function):
    """(hidden, weight) -> (total, nll, z); only `total` has a gradient."""

    @staticmethod
    def forward(
        ctx: BackwardCFunction, hidden: Tensor, weight: Tensor, labels: Tensor, normaliser: float, z_loss: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        kept = _kept(labels, len(weight))
        whole = len(kept) == len(labels)
        hidden_gradient = (torch.empty_like if whole else torch.zeros_like)(hidden) if wants_hidden else None
        weight_gradient = None
        if wants_weight:
            weight_gradient = torch.empty_like(weight) if len(kept) else torch.zeros_like(weight)
        nll = torch.zeros((), dtype=torch.float64, device=hidden.device)
        z = torch.zeros_like(nll)
        parts = list(_chunks(len(kept), weight))
        buffer = weight.new_empty(len(weight) * (parts[0].stop if parts else 0))
        for part in parts:
            rows = kept[part]
            states = hidden[part] if whole else hidden[rows]
            logits = torch.mm(weight, states.t(), out=buffer[: len(weight) * len(rows)].view(-1, len(rows)))
            row_nll, row_lse = losses_and_gradients(logits, labels[rows], 1.0 / normaliser, z_loss)
            nll += row_nll.sum()
            z += row_lse.square().sum()
            if hidden_gradient is not None:
                if whole:
                    torch.mm(logits.t(), weight, out=hidden_gradient[part])
                else:
                    hidden_gradient[rows] = torch.mm(logits.t(), weight)
            if weight_gradient is not None:
                weight_gradient.addmm_(logits, states, beta=0.0 if part.start == 0 else 1.0)
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        ctx.mark_non_differentiable(nll, z)
        return _total(nll, z, normaliser, z_loss, weight.dtype), nll, z

    @staticmethod
    def backward(ctx: BackwardCFunction, total: Tensor, _nll: Tensor, _z: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        # On a GPU the question would wait for all that is queued; there the product is cheap.
        if total.device.type != "cpu" or total.item() != 1.0:
            gradients = tuple(None if gradient is None else gradient * total for gradient in gradients)
        return (*gradients, None, None, None)


def _check(hidden: Tensor, weight: Tensor, labels: Tensor) -> None:
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1] or labels.shape != hidden.shape[:1]:
        shapes = f"{tuple(hidden.shape)}, {tuple(weight.shape)}, {tuple(labels.shape)}"
        raise ValueError(f"linear_cross_entropy: hidden, weight, labels must be (T, d), (V, d), (T,), not {shapes}")
    if hidden.dtype != weight.dtype or labels.dtype != torch.int64:
        dtypes = f"{hidden.dtype}, {weight.dtype}, {labels.dtype}"
        raise ValueError(f"linear_cross_entropy: hidden and weight need one dtype and labels int64, not {dtypes}")


def _kept(labels: Tensor, vocabulary: int) -> Tensor:
    """Places of the labels that carry loss."""
    kept = (labels != IGNORE).nonzero()[:, 0]
    if labels.device.type == "cpu" and len(kept):
        low, high = labels[kept].aminmax()
        if low < 0 or high >= vocabulary:
            raise IndexError(f"linear_cross_entropy: labels from {low} to {high}, but there are {vocabulary} ids")
    return kept


def _chunks(rows: int, weight: Tensor) -> Iterator[slice]:
    """Rows in equal parts whose logits take up to `CHUNK_BYTES`, the longest part first."""
    most = max(1, CHUNK_BYTES // (len(weight) * weight.element_size()))
    parts = -(-rows // most)
    start = 0
    for part in range(parts):
        stop = start + rows // parts + (part < rows % parts)
        yield slice(start, stop)
        start = stop


def _total(nll: Tensor, z: Tensor, normaliser: float, z_loss: float, dtype: torch.dtype) -> Tensor:
    total = (nll + z_loss * z) / normaliser if z_loss else nll / normaliser
    return total if dtype == torch.float64 else total.float()
