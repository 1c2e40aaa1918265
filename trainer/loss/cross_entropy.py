"""Cross-entropy of a linear layer whose logits never exist as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE
from lauter.trainer.loss.softmax import likeliest, losses, losses_and_gradients
from lauter.trainer.loss.vocabulary import Share

CHUNK_BYTES = 128 << 20
"""Logits that exist at once. With V = 131,072, d = 256 and bf16 these 512 rows take 6 % less time than 256; all 1,024
rows of a batch at once would save 4 % more, for twice the memory."""

_MULTIPLE = 16
# Rows of a chunk: with 497 instead of 496 the product of fp32 that makes the logits takes 1.7 times as long.

_ADDED = 4
# Chunks whose products are summed in a bf16 gradient of the weight, before the sum goes to float32. Relative error of
# the gradient by chunks summed in bf16: 1: 0.16 %, 4: 0.23 %, 32: 0.6 %; the sum in float32 is 9 % of a chunk's time.


@dataclass(frozen=True, slots=True)
class LossTerms:
    """What a loss is made of, as sums over the labels that are not `IGNORE`."""

    total: Tensor
    """Sum of weight x (nll + z_loss x z) / normaliser: a scalar, to be differentiated; fp64 for fp64 parameters, else
    fp32."""
    nll: Tensor
    """Negative log-likelihoods in nats, summed as they are: a scalar, fp64, without gradient."""
    z: Tensor
    """Squares of the logarithms of the softmax's normaliser, summed as they are: a scalar, fp64, without gradient."""


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    normaliser: float,
    z_loss: float = 0.0,
    weights: Tensor | None = None,
    share: Share | None = None,
) -> LossTerms:
    """Cross-entropy of softmax(hidden @ weight.T) with the labels, and the z-loss, in memory for some rows of logits.

    nll = logsumexp(logits) - logits[label]; the z-loss is logsumexp(logits)^2 (PaLM, arXiv 2204.02311, section 5).
    Both gradients are made in the forward pass, while a chunk's logits are there: the backward pass computes nothing.
    Rows whose label is `IGNORE` are not computed. That a batch has none other is no error: the loss is 0, and so are
    the gradients.

    With a `share`, `weight` has the rows of this rank's ids only. All ranks of the share call with the same hidden
    states and labels; the terms are those of the whole softmax on each of them, the gradient of the weight is that of
    its rows, and the gradient of the hidden states is this rank's part of a sum over all (`parallel.tensor` adds it up;
    taken for the whole in torchtitan#3412).

    Args:
        hidden: The last hidden states, shape (T, d), bf16, fp32 or fp64.
        weight: Of the output layer, shape (V, d), of the same dtype; its gradient has this dtype too.
        labels: Ids below V or `IGNORE`, shape (T,), dtype int64.
        normaliser: What the sum is divided by, as a rule the labels that are not `IGNORE` in the whole step, over all
            micro-batches and ranks.
        z_loss: Weight of the z-loss.
        weights: What each label's loss, and so its gradient, is multiplied with, shape (T,), of any float dtype; may be
            below 0. None: 1 each.
        share: Which ids the weight's rows are of; None: all.

    Raises:
        ValueError: Shapes or dtypes do not fit, or the normaliser is not above 0.
        RuntimeError: In the backward pass, where its graph is asked for (`create_graph`).
        IndexError: A label is neither `IGNORE` nor an id below V (on a GPU: torch's own assertion there).
    """
    _check(hidden, weight, labels)
    if weights is not None and weights.shape != labels.shape:
        raise ValueError(f"linear_cross_entropy: weights must be (T,), not {tuple(weights.shape)}")
    if not normaliser > 0:
        raise ValueError(f"linear_cross_entropy: normaliser must be above 0, not {normaliser}")
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        found = _LinearCrossEntropy.apply(hidden, weight, labels, normaliser, z_loss, weights, share)  # type: ignore[no-untyped-call]
        return LossTerms(*found)
    total, nll, z = _zero(hidden), _zero(hidden), _zero(hidden)
    with torch.no_grad():
        for rows in _chunks(labels, weight, share):
            states, ids = _padded(hidden, rows), _padded(labels, rows)
            row_nll, row_lse = losses(torch.mm(weight, states.t()), ids, share)
            scales = _scales(weights, rows, states, normaliser)
            total += (scales * (row_nll + z_loss * row_lse.square())).sum()
            nll += row_nll[: len(rows)].sum()
            z += row_lse[: len(rows)].square().sum()
    return LossTerms(_rounded(total, weight.dtype), nll, z)


def token_losses(hidden: Tensor, weight: Tensor, labels: Tensor, *, share: Share | None = None) -> Tensor:
    """Negative log-likelihood of every label in nats, 0 at `IGNORE`, shape (T,); without gradients.

    In fp64 for fp64 parameters, else in fp32.

    Arguments and errors as in `linear_cross_entropy`.
    """
    _check(hidden, weight, labels)
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
    result = torch.zeros(len(labels), dtype=dtype, device=hidden.device)
    with torch.no_grad():
        for rows in _chunks(labels, weight, share):
            row_nll, _ = losses(torch.mm(weight, _padded(hidden, rows).t()), _padded(labels, rows), share)
            result[rows] = row_nll[: len(rows)].to(dtype)
    return result


def token_hits(hidden: Tensor, weight: Tensor, labels: Tensor, *, share: Share | None = None) -> Tensor:
    """Whether every label is the likeliest id, the lowest of equals: shape (T,), bool; False at `IGNORE`.

    That is what greedy generation would say after the same tokens. Arguments and errors as in `linear_cross_entropy`.
    """
    _check(hidden, weight, labels)
    result = torch.zeros(len(labels), dtype=torch.bool, device=hidden.device)
    with torch.no_grad():
        for rows in _chunks(labels, weight, share):
            found = likeliest(torch.mm(weight, _padded(hidden, rows).t()), share)
            result[rows] = found[: len(rows)] == labels[rows]
    return result


class _LinearCrossEntropy(torch.autograd.Function):
    """(hidden, weight) -> (total, nll, z); only `total` has a gradient."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        normaliser: float,
        z_loss: float,
        weights: Tensor | None,
        share: Share | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        total, nll, z = _zero(hidden), _zero(hidden), _zero(hidden)
        chunks = list(_chunks(labels, weight, share))
        hidden_gradient = torch.zeros_like(hidden) if wants_hidden else None
        weight_gradient = wide = None
        if wants_weight:
            weight_gradient = torch.empty_like(weight) if chunks else torch.zeros_like(weight)
            if weight.dtype == torch.bfloat16 and len(chunks) > _ADDED:
                wide = torch.zeros_like(weight, dtype=torch.float32)
        buffer = weight.new_empty(0)
        for number, rows in enumerate(chunks):
            states, ids = _padded(hidden, rows), _padded(labels, rows)
            size = len(weight) * len(states)
            if number == 0:
                buffer = weight.new_empty(size)
            logits = torch.mm(weight, states.t(), out=buffer[:size].view(-1, len(states)))
            scales = _scales(weights, rows, states, normaliser)
            row_nll, row_lse = losses_and_gradients(logits, ids, scales, z_loss, share)
            total += (scales * (row_nll + z_loss * row_lse.square())).sum()
            nll += row_nll[: len(rows)].sum()
            z += row_lse[: len(rows)].square().sum()
            if hidden_gradient is not None:
                hidden_gradient[rows] = torch.mm(logits.t(), weight)[: len(rows)]
            if weight_gradient is not None:
                weight_gradient.addmm_(logits, states, beta=float(number % _ADDED > 0 or (wide is None and number > 0)))
                if wide is not None and (number % _ADDED == _ADDED - 1 or number == len(chunks) - 1):
                    wide += weight_gradient
        if weight_gradient is not None and wide is not None:
            weight_gradient.copy_(wide)
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        ctx.mark_non_differentiable(nll, z)
        return _rounded(total, weight.dtype), nll, z

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        total: Tensor,
        _nll: Tensor,
        _z: Tensor,
    ) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            # As constants they would make a second derivative wrong without a word.
            raise RuntimeError("linear_cross_entropy has no second derivative: its gradients come without a graph")
        gradients: tuple[Tensor | None, ...] = ctx.saved_tensors
        # On a GPU the question would wait for all that is queued; there the product is cheap.
        if total.device.type != "cpu" or total.item() != 1.0:
            gradients = tuple(None if gradient is None else gradient * total for gradient in gradients)
        return (*gradients, None, None, None, None, None)


def _check(hidden: Tensor, weight: Tensor, labels: Tensor) -> None:
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1] or labels.shape != hidden.shape[:1]:
        shapes = f"{tuple(hidden.shape)}, {tuple(weight.shape)}, {tuple(labels.shape)}"
        raise ValueError(f"linear_cross_entropy: hidden, weight, labels must be (T, d), (V, d), (T,), not {shapes}")
    if hidden.dtype != weight.dtype or labels.dtype != torch.int64:
        dtypes = f"{hidden.dtype}, {weight.dtype}, {labels.dtype}"
        raise ValueError(f"linear_cross_entropy: hidden and weight need one dtype and labels int64, not {dtypes}")


def _chunks(labels: Tensor, weight: Tensor, share: Share | None) -> Iterator[Tensor]:
    """Places of the labels that carry loss, as many at a time as `CHUNK_BYTES` allows, ascending."""
    places = (labels != IGNORE).nonzero()[:, 0]
    if len(places) == 0:
        return
    if labels.device.type == "cpu":
        low, high = labels[places].aminmax()
        count = len(weight) if share is None else share.ids
        if low < 0 or high >= count:
            raise IndexError(f"linear_cross_entropy: labels from {low} to {high}, but there are {count} ids")
    multiples = CHUNK_BYTES // (len(weight) * weight.element_size() * _MULTIPLE)
    size = max(1, multiples) * _MULTIPLE
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _padded(values: Tensor, rows: Tensor) -> Tensor:
    """Some rows, then zeros up to a multiple of `_MULTIPLE`: a state of zeros adds nothing to the weight's gradient."""
    result = values.new_zeros((-(-len(rows) // _MULTIPLE) * _MULTIPLE, *values.shape[1:]))
    result[: len(rows)] = values[rows]
    return result


def _zero(like: Tensor) -> Tensor:
    return torch.zeros((), dtype=torch.float64, device=like.device)


def _scales(weights: Tensor | None, rows: Tensor, states: Tensor, normaliser: float) -> Tensor:
    """Weight / normaliser of each row of a chunk, fp64; 0 for those that only fill it up."""
    scales = torch.zeros(len(states), dtype=torch.float64, device=states.device)
    scales[: len(rows)] = 1.0 / normaliser if weights is None else weights[rows].double() / normaliser
    return scales


def _rounded(total: Tensor, dtype: torch.dtype) -> Tensor:
    return total if dtype == torch.float64 else total.float()
