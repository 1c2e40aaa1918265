"""Attention on a GPU: flash attention over packed documents. No GPU has run this yet."""

from __future__ import annotations

from torch import Tensor
from torch.nn.attention.varlen import varlen_attn

from lauter.trainer.batch import Bounds


def varlen_attention(q: Tensor, k: Tensor, v: Tensor, bounds: Bounds) -> Tensor:
    """As `attention.attention`, through torch's variable-length kernel (fp16 and bf16 only).

    Written to the interface of torch 2.13 and checked for shapes and arguments on the meta device; there was no GPU to
    run it on.
    """
    seen = varlen_attn(
        q,
        k,
        v,
        bounds.cu_seqlens,
        bounds.cu_seqlens,
        bounds.longest,
        bounds.longest,
        window_size=(-1, 0),
        enable_gqa=q.shape[1] != k.shape[1],
    )
    assert isinstance(seen, Tensor)  # A pair only where `return_aux` is asked for.
    return seen
