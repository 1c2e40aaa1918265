"""Attention on a CPU: torch's causal kernel, document by document, so that no score between documents is computed.

One operator for the whole packed sequence: `torch.compile` and activation checkpointing see a single node. Documents of
equal length are not put together: the kernel's time is linear in its batch (16 documents of 8 tokens: 442 us in one
call, 26 us a call one by one). Keys are not repeated for grouped queries: the kernel reads them as they are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default

# In bf16 the kernel's backward pass of a short document takes 1.3 to 5 times what it takes in fp32 (128 tokens, 10
# heads of 32: 2,448 against 651 us); from 512 tokens on bf16 is as fast or faster.
SHORT = 256


def document_attention(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor) -> Tensor:
    """As `attention.attention`; `cu_seqlens` as in `Bounds`, on the CPU. fp32, bf16, fp64.

    Each document's result is that of `scaled_dot_product_attention(..., is_causal=True, enable_gqa=True)` to the bit.
    Gradients too, except that those of bf16 documents of at most 256 tokens are computed in fp32 and rounded once.
    Raises `ValueError` where shapes or bounds do not fit.
    """
    return cast(Tensor, torch.ops.lauter.document_attention(q, k, v, cu_seqlens)[0])


@torch.library.custom_op("lauter::document_attention", mutates_args=(), device_types="cpu")
def _attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor) -> tuple[Tensor, Tensor]:
    """Result (T, heads, head_dim) and the logarithm of each softmax's normaliser (T, heads), fp32 (fp64 for fp64)."""
    ends = _checked(q, k, v, cu_seqlens)
    seen = torch.empty(q.shape, dtype=q.dtype)
    normalisers = torch.empty(q.shape[:2], dtype=torch.promote_types(q.dtype, torch.float32))
    for start, end in pairwise(ends):
        out, normaliser = _forward(_heads(q, start, end), _heads(k, start, end), _heads(v, start, end), is_causal=True)
        seen[start:end] = out[0].transpose(0, 1)
        normalisers[start:end] = normaliser[0].transpose(0, 1)
    return seen, normalisers


@torch.library.custom_op("lauter::document_attention_backward", mutates_args=(), device_types="cpu")
def _gradients(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, seen: Tensor, normalisers: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v, in their shapes and dtype."""
    dq, dk, dv = (torch.empty(x.shape, dtype=x.dtype) for x in (q, k, v))
    ends = cu_seqlens.tolist()
    inputs = [grad, q, k, v, seen]
    wide = inputs
    if q.dtype == torch.bfloat16 and any(end - start <= SHORT for start, end in pairwise(ends)):
        wide = [x.float() for x in inputs]
    for start, end in pairwise(ends):
        document = [_heads(x, start, end) for x in (wide if end - start <= SHORT else inputs)]
        parts = _backward(*document, normalisers[start:end].transpose(0, 1)[None], 0.0, is_causal=True)
        for whole, part in zip((dq, dk, dv), parts, strict=True):
            whole[start:end] = part[0].transpose(0, 1)
    return dq, dk, dv


@_attend.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor) -> tuple[Tensor, Tensor]:
    wide = torch.promote_types(q.dtype, torch.float32)
    return torch.empty(q.shape, dtype=q.dtype, device=q.device), torch.empty(q.shape[:2], dtype=wide, device=q.device)


@_gradients.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, seen: Tensor, normalisers: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    dq, dk, dv = (torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in (q, k, v))
    return dq, dk, dv


def _keep(ctx: BackwardCFunction, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)
    ctx.set_materialize_grads(False)


def _back(ctx: BackwardCFunction, grad: Tensor, _grad_of_normalisers: Tensor | None) -> tuple[Tensor | None, ...]:
    return *torch.ops.lauter.document_attention_backward(grad, *ctx.saved_tensors), None


_attend.register_autograd(_back, setup_context=_keep)


def _heads(x: Tensor, start: int, end: int) -> Tensor:
    """One document as the kernel wants it: (1, heads, length, head_dim), no copy."""
    return x[start:end].transpose(0, 1)[None]


def _checked(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor) -> list[int]:
    ends: list[int] = cu_seqlens.tolist()
    tokens, heads, head_dim = q.shape
    if k.shape != v.shape or k.shape[0] != tokens or k.shape[2] != head_dim or heads % k.shape[1]:
        raise ValueError(f"shapes do not fit: q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}")
    if ends[0] != 0 or ends[-1] != tokens or any(start >= end for start, end in pairwise(ends)):
        raise ValueError(f"cu_seqlens must ascend from 0 to {tokens}, the number of tokens: {ends}")
    return ends
