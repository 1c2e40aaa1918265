"""The GPU's attention as far as it goes without a GPU: shapes and arguments, on the meta device."""

from __future__ import annotations

import torch

from lauter.trainer.attention.varlen import varlen_attention
from lauter.trainer.batch import Bounds


def test_shapes_and_dtype_on_meta() -> None:
    q, k, v = (torch.empty(12, n, 64, dtype=torch.bfloat16, device="meta", requires_grad=True) for n in (8, 2, 2))
    bounds = Bounds.of([5, 7]).to(torch.device("meta"))
    seen = varlen_attention(q, k, v, bounds)
    assert seen.shape == q.shape and seen.dtype == q.dtype
    seen.sum().backward()
    assert [x.grad.shape for x in (q, k, v) if x.grad is not None] == [q.shape, k.shape, v.shape]
