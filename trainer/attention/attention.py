"""Causal attention within documents: one function, one back end for each kind of device."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lauter.trainer.attention.documents import document_attention
from lauter.trainer.attention.varlen import varlen_attention
from lauter.trainer.batch import Bounds

Attend = Callable[[Tensor, Tensor, Tensor, Bounds], Tensor]
"""`attention`, or what computes the same of tokens that ranks share."""


def attention(q: Tensor, k: Tensor, v: Tensor, bounds: Bounds) -> Tensor:
    """softmax(q k^T / sqrt(head_dim)) v, where a token sees itself and what is before it in its own document.

    q has shape (T, heads, head_dim), k and v (T, kv_heads, head_dim), all of one dtype; `heads` is a multiple of
    `kv_heads`, and head h reads kv head h // (heads / kv_heads) (arXiv 2305.13245). Returns (T, heads, head_dim).
    """
    if q.is_cuda:
        return varlen_attention(q, k, v, bounds)
    return document_attention(q, k, v, bounds.cu_seqlens)
