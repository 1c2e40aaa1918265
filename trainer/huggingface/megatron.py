"""Where the swiss-ai fork of Megatron-LM keeps the tensors of an Apertus model, and how its fused QKV is laid out.

Names: tools/checkpoint/schema_core.py and saver_swissai_hf.py of the fork. Transformer Engine keeps a norm beside the
projection that follows it, the local layers keep it as a module; both names are read. A distributed checkpoint of
equal layers has no layer number in its names: the layers are the first axis of each tensor (megatron/core/transformer/
transformer_block.py, `sharded_state_dict`).

| Megatron | here |
|---|---|
| embedding.word_embeddings.weight | model.embed_tokens.weight |
| decoder.layers[.N].self_attention.linear_qkv.weight | model.layers.N.self_attn.{q,k,v}_proj.weight |
| decoder.layers[.N].self_attention.linear_proj.weight | model.layers.N.self_attn.o_proj.weight |
| decoder.layers[.N].self_attention.{q,k}_layernorm.weight | model.layers.N.self_attn.{q,k}_norm.weight |
| decoder.layers[.N].input_layernorm.weight, self_attention.linear_qkv.layer_norm_weight | attention_layernorm.weight |
| decoder.layers[.N].pre_mlp_layernorm.weight, mlp.linear_fc1.layer_norm_weight | feedforward_layernorm.weight |
| decoder.layers[.N].mlp.linear_fc1.weight, mlp.linear_fc2.weight | mlp.up_proj.weight, mlp.down_proj.weight |
| decoder.layers[.N].mlp.activation_func.{alpha_p,alpha_n} | mlp.act_fn.{alpha_p,alpha_n} |
| decoder.final_layernorm.weight | model.norm.weight |
| output_layer.weight | lm_head.weight |
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import torch
from torch import Tensor

from lauter.trainer.huggingface.names import Shape
from lauter.trainer.model.shape import ModelShape

OUTSIDE: Mapping[str, str] = {
    "model.embed_tokens.weight": "embedding.word_embeddings.weight",
    "model.norm.weight": "decoder.final_layernorm.weight",
    "lm_head.weight": "output_layer.weight",
}
"""Tensors that belong to no layer: our name -> Megatron's."""

QKV = "self_attention.linear_qkv.weight"
"""The fused projection of a layer: queries, keys and values of one group after the other."""

IN_LAYER: Mapping[str, tuple[str, ...]] = {
    "attention_layernorm.weight": ("input_layernorm.weight", "self_attention.linear_qkv.layer_norm_weight"),
    "self_attn.q_proj.weight": (QKV,),
    "self_attn.k_proj.weight": (QKV,),
    "self_attn.v_proj.weight": (QKV,),
    "self_attn.o_proj.weight": ("self_attention.linear_proj.weight",),
    "self_attn.q_norm.weight": ("self_attention.q_layernorm.weight",),
    "self_attn.k_norm.weight": ("self_attention.k_layernorm.weight",),
    "feedforward_layernorm.weight": ("pre_mlp_layernorm.weight", "mlp.linear_fc1.layer_norm_weight"),
    "mlp.up_proj.weight": ("mlp.linear_fc1.weight",),
    "mlp.act_fn.alpha_p": ("mlp.activation_func.alpha_p",),
    "mlp.act_fn.alpha_n": ("mlp.activation_func.alpha_n",),
    "mlp.down_proj.weight": ("mlp.linear_fc2.weight",),
}
"""Tensors of a layer: our name in it -> the names that Megatron may have for it."""

_LAYERS = "decoder.layers."


def split_qkv(fused: Tensor, *, heads: int, kv_heads: int, head_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (heads x D, hidden), keys and values (kv_heads x D, hidden) of a fused projection.

    `fused` has shape ((heads + 2 kv_heads) x D, hidden): for each group of heads that share keys and values, the
    queries of its heads, then its key head, then its value head. For Apertus-8B 6144 x 4096: 8 x (4 q, 1 k, 1 v) x 128.

    Raises:
        ValueError: the rows are not as many.
    """
    rows, hidden = fused.shape
    if rows != (heads + 2 * kv_heads) * head_dim or heads % kv_heads:
        raise ValueError(f"{rows} rows are not ({heads} + 2 x {kv_heads}) heads of {head_dim}")
    groups = fused.reshape(kv_heads, heads // kv_heads + 2, head_dim, hidden)
    queries, keys, values = groups[:, :-2], groups[:, -2], groups[:, -1]
    return queries.reshape(-1, hidden), keys.reshape(-1, hidden), values.reshape(-1, hidden)


def fuse_qkv(queries: Tensor, keys: Tensor, values: Tensor, *, kv_heads: int, head_dim: int) -> Tensor:
    """The inverse of `split_qkv`.

    Raises:
        RuntimeError: the rows are no whole groups.
    """
    hidden = queries.shape[1]
    parts = (
        queries.reshape(kv_heads, -1, head_dim, hidden),
        keys.reshape(kv_heads, 1, head_dim, hidden),
        values.reshape(kv_heads, 1, head_dim, hidden),
    )
    return torch.cat(parts, dim=1).reshape(-1, hidden)


def megatron_name(name: str, present: Container[str]) -> tuple[str, int | None]:
    """Where our parameter `name` lies in a checkpoint whose names are `present`: Megatron's name, and which layer.

    The layer is an index into the tensor's first axis, or None where the name has its number.

    Raises:
        KeyError: none of its names is there; the argument is the first of them.
    """
    if name in OUTSIDE:
        candidates: list[tuple[str, int | None]] = [(OUTSIDE[name], None)]
    else:
        number, _, part = name.removeprefix("model.layers.").partition(".")
        candidates = [(f"{_LAYERS}{number}.{theirs}", None) for theirs in IN_LAYER[part]]
        candidates += [(f"{_LAYERS}{theirs}", int(number)) for theirs in IN_LAYER[part]]
    for candidate in candidates:
        if candidate[0] in present:
            return candidate
    raise KeyError(candidates[0][0])


def megatron_shape(name: str, own: Shape, shape: ModelShape) -> Shape:
    """Shape that a layer's tensor must have in Megatron; `own` is that of our parameter `name`."""
    if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
        return ((shape.heads + 2 * shape.kv_heads) * shape.head_dim, shape.hidden)
    return own
