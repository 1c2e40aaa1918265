"""Attention on a CPU: torch's causal kernel, document by document, so that no score between documents is computed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def document_attention(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor) -> Tensor:
    """As `attention.attention`; `cu_seqlens` as in `Bounds`."""
    ends = cu_seqlens.tolist()
    parts = [
        scaled_dot_product_attention(
            q[start:end].transpose(0, 1)[None],
            k[start:end].transpose(0, 1)[None],
            v[start:end].transpose(0, 1)[None],
            is_causal=True,
            enable_gqa=True,
        )[0].transpose(0, 1)
        for start, end in zip(ends, ends[1:], strict=False)
    ]
    return torch.cat(parts)
