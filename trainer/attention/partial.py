"""Attention to some of the keys at a time: results that are merged to those of all keys, without loss.

With its softmax's normaliser beside it, the result over some keys can be merged with that over others (arXiv
1805.02867; 2205.14135, section 3.1). Given the result and normaliser over all keys, the gradients from some keys are
exact and are simply added (arXiv 2310.01889). On a CPU torch's kernel does it, on a GPU flash attention; no GPU has run
the latter, whose shapes were checked on the meta device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lauter.trainer.attention.documents import SHORT
from lauter.trainer.batch import Bounds

_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
_cpu_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default
_flash = torch.ops.aten._flash_attention_forward.default
_flash_backward = torch.ops.aten._flash_attention_backward.default


class Partial(NamedTuple):
    """What T queries see in some of the keys."""

    seen: Tensor
    """softmax(q k^T / sqrt(head_dim)) v over those keys: shape (T, heads, head_dim)."""
    normalisers: Tensor
    """log(sum(exp(q k^T / sqrt(head_dim)))) over those keys: shape (T, heads), fp32 (fp64 for fp64)."""

    def rows(self, rows: slice) -> Partial:
        """Of some of the queries, without a copy."""
        return Partial(self.seen[rows], self.normalisers[rows])


def own(q: Tensor, k: Tensor, v: Tensor, bounds: Bounds) -> Partial:
    """As `attention.attention`: every query sees its own document up to itself."""
    if q.device.type == "cpu":
        return Partial(*torch.ops.lauter.document_attention(q, k, v, bounds.cu_seqlens))
    return _forward(q, k, v, bounds, bounds, causal=True)


def own_gradients(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, bounds: Bounds, whole: Partial
) -> tuple[Tensor, Tensor, Tensor]:
    """Of `own`: gradients of q, k and v, in their shapes and dtype.

    `grad` and `whole` are those of the result over all keys, also over those that `own` did not have.
    """
    if q.device.type == "cpu":
        dq, dk, dv = torch.ops.lauter.document_attention_backward(grad, q, k, v, bounds.cu_seqlens, *whole)
        return dq, dk, dv
    return _backward(grad, q, k, v, bounds, bounds, whole, causal=True)


def every(q: Tensor, k: Tensor, v: Tensor) -> Partial:
    """Every query sees all keys: q (T, heads, head_dim), k and v (K, kv_heads, head_dim), as in `attention`."""
    if q.device.type == "cpu":
        seen, normalisers = _cpu(_heads(q), _heads(k), _heads(v))
        return Partial(seen[0].transpose(0, 1), normalisers[0].transpose(0, 1))
    return _forward(q, k, v, _one(q), _one(k), causal=False)


def every_gradients(grad: Tensor, q: Tensor, k: Tensor, v: Tensor, whole: Partial) -> tuple[Tensor, Tensor, Tensor]:
    """Of `every`, as `own_gradients`; on a CPU, short bf16 ones are fp32 (see `documents`)."""
    if q.device.type != "cpu":
        return _backward(grad, q, k, v, _one(q), _one(k), whole, causal=False)
    inputs = [grad, q, k, v, whole.seen]
    if q.dtype == torch.bfloat16 and len(q) * len(k) <= SHORT**2:
        inputs = [x.float() for x in inputs]
    dq, dk, dv = _cpu_backward(*map(_heads, inputs), whole.normalisers.transpose(0, 1)[None], 0.0, is_causal=False)
    return dq[0].transpose(0, 1), dk[0].transpose(0, 1), dv[0].transpose(0, 1)


def wide(part: Partial) -> Partial:
    """With a result of the normalisers' dtype, for `merge` to write into."""
    return Partial(part.seen.to(part.normalisers.dtype), part.normalisers)


def merge(into: Partial, part: Partial) -> None:
    """Write into `into`, which is `wide` and has seen at least one key, what it and `part` have seen of other keys."""
    both = torch.logaddexp(into.normalisers, part.normalisers)
    into.seen.mul_((into.normalisers - both).exp()[..., None])
    into.seen.addcmul_(part.seen.to(both.dtype), (part.normalisers - both).exp()[..., None])
    into.normalisers.copy_(both)


def _heads(x: Tensor) -> Tensor:
    """As torch's kernel on a CPU wants it: (1, heads, length, head_dim), no copy."""
    return x.transpose(0, 1)[None]


def _one(x: Tensor) -> Bounds:
    """All as one document."""
    return Bounds(torch.tensor([0, len(x)], dtype=torch.int32, device=x.device), len(x))


def _forward(q: Tensor, k: Tensor, v: Tensor, queries: Bounds, keys: Bounds, *, causal: bool) -> Partial:
    found = _flash(
        q,
        k,
        v,
        queries.cu_seqlens,
        keys.cu_seqlens,
        queries.longest,
        keys.longest,
        dropout_p=0.0,
        is_causal=causal,
        return_debug_mask=False,
    )
    return Partial(found[0], found[1].transpose(0, 1))


def _backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, queries: Bounds, keys: Bounds, whole: Partial, *, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    # The state of random numbers, which dropout alone would use.
    state, unused = torch.zeros(2, dtype=torch.uint64, device=q.device), torch.empty(0, device=q.device)
    dq, dk, dv = _flash_backward(
        grad,
        q,
        k,
        v,
        whole.seen,
        whole.normalisers.transpose(0, 1).contiguous(),
        queries.cu_seqlens,
        keys.cu_seqlens,
        queries.longest,
        keys.longest,
        0.0,
        causal,
        state,
        unused,
    )
    return dq, dk, dv
