"""One layer of Apertus: attention and MLP, each behind a norm and beside the residual stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lauter.trainer.attention.attention import Attend, attention
from lauter.trainer.batch import Bounds
from lauter.trainer.model.cache import LayerCache
from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.linear import Linear, Products, products
from lauter.trainer.model.norm import RMSNorm
from lauter.trainer.model.qk_norm import norm_and_rotate
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.model.xielu import XIELU


class Attention(nn.Module):
    """Grouped-query attention with a norm of every query and key head before RoPE; no biases.

    The number of heads comes from the width of the projections' results: a shard with fewer heads works alike.
    """

    def __init__(
        self, shape: ModelShape, *, device: torch.device | str | None, dtype: torch.dtype, kernels: Kernels = "fast"
    ) -> None:
        super().__init__()
        self.head_dim = shape.head_dim
        self.attend: Attend = attention
        """Another one where ranks share the tokens."""
        self.products: Products = products
        """Others where ranks share the heads."""
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = Linear(shape.hidden, queries, device=device, dtype=dtype)
        self.k_proj = Linear(shape.hidden, keys, device=device, dtype=dtype)
        self.v_proj = Linear(shape.hidden, keys, device=device, dtype=dtype)
        self.o_proj = Linear(queries, shape.hidden, device=device, dtype=dtype)
        self.q_norm = RMSNorm(shape.head_dim, shape.norm_eps, device=device, dtype=dtype, kernels=kernels)
        self.k_norm = RMSNorm(shape.head_dim, shape.norm_eps, device=device, dtype=dtype, kernels=kernels)

    def forward(self, x: Tensor, cos_sin: tuple[Tensor, Tensor], bounds: Bounds, cache: LayerCache | None) -> Tensor:
        """(T, hidden) to (T, hidden), each document by itself."""
        found = self.products(x, (self.q_proj, self.k_proj, self.v_proj))
        q, k, v = (one.view(len(one), -1, self.head_dim) for one in found)
        q = norm_and_rotate(q, self.q_norm, cos_sin)
        k = norm_and_rotate(k, self.k_norm, cos_sin)
        seen = self.attend(q, k, v, bounds) if cache is None else cache.attend(q, k, v, bounds)
        return self.o_proj(seen.flatten(1))  # type: ignore[no-any-return]  # modules are untyped


class MLP(nn.Module):
    """Up, xIELU, down; no gate, no biases."""

    def __init__(
        self, shape: ModelShape, *, device: torch.device | str | None, dtype: torch.dtype, kernels: Kernels = "fast"
    ) -> None:
        super().__init__()
        self.up_proj = Linear(shape.hidden, shape.feed_forward, device=device, dtype=dtype)
        self.down_proj = Linear(shape.feed_forward, shape.hidden, device=device, dtype=dtype)
        self.act_fn = XIELU(device=device, dtype=dtype, kernels=kernels)
        self.products: Products = products

    def forward(self, x: Tensor) -> Tensor:
        """(T, hidden) to (T, hidden)."""
        (up,) = self.products(x, (self.up_proj,))
        return self.down_proj(self.act_fn(up))  # type: ignore[no-any-return]  # modules are untyped


class Layer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)) (arXiv 2509.14233, section 2.1)."""

    def __init__(
        self, shape: ModelShape, *, device: torch.device | str | None, dtype: torch.dtype, kernels: Kernels = "fast"
    ) -> None:
        super().__init__()
        self.self_attn = Attention(shape, device=device, dtype=dtype, kernels=kernels)
        self.mlp = MLP(shape, device=device, dtype=dtype, kernels=kernels)
        self.attention_layernorm = RMSNorm(shape.hidden, shape.norm_eps, device=device, dtype=dtype, kernels=kernels)
        self.feedforward_layernorm = RMSNorm(shape.hidden, shape.norm_eps, device=device, dtype=dtype, kernels=kernels)

    def forward(
        self, x: Tensor, cos_sin: tuple[Tensor, Tensor], bounds: Bounds, cache: LayerCache | None = None
    ) -> Tensor:
        """(T, hidden) to (T, hidden); `cos_sin` from `rope.cos_sin`, each (T, head_dim)."""
        x = x + self.self_attn(self.attention_layernorm(x), cos_sin, bounds, cache)
        return x + self.mlp(self.feedforward_layernorm(x))  # type: ignore[no-any-return]  # modules are untyped
