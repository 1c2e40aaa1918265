"""The tensors of an Apertus model under their Hugging Face names, and their shapes.

Names and shapes are those of `ApertusForCausalLM` (transformers, models/apertus). Each MLP also has two constants,
`beta` and `eps` of xIELU (arXiv 2411.13010), which transformers keeps as buffers: a folder without them loads with
"missing keys". They are written, checked where they are read, and belong to no checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

from lauter.trainer.model.shape import ModelShape
from lauter.trainer.model.xielu import BETA, EPS

Shape = tuple[int, ...]

CONSTANTS: Mapping[str, float] = {"beta": BETA, "eps": EPS}
"""Scalars (shape []) of each layer's `mlp.act_fn`."""


def parameter_shapes(shape: ModelShape) -> dict[str, Shape]:
    """Name -> shape of every parameter, in the model's order."""
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (shape.vocabulary, shape.hidden)}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + name: size for name, size in _of_layer(shape).items()}
    return shapes | {"model.norm.weight": (shape.hidden,), "lm_head.weight": (shape.vocabulary, shape.hidden)}


def constant_names(shape: ModelShape) -> dict[str, float]:
    """Name -> value of every constant."""
    return {
        f"model.layers.{layer}.mlp.act_fn.{name}": value
        for layer in range(shape.layers)
        for name, value in CONSTANTS.items()
    }


def _of_layer(shape: ModelShape) -> dict[str, Shape]:
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return {
        "attention_layernorm.weight": (shape.hidden,),
        "self_attn.q_proj.weight": (queries, shape.hidden),
        "self_attn.k_proj.weight": (keys, shape.hidden),
        "self_attn.v_proj.weight": (keys, shape.hidden),
        "self_attn.o_proj.weight": (shape.hidden, queries),
        "self_attn.q_norm.weight": (shape.head_dim,),
        "self_attn.k_norm.weight": (shape.head_dim,),
        "feedforward_layernorm.weight": (shape.hidden,),
        "mlp.up_proj.weight": (shape.feed_forward, shape.hidden),
        "mlp.act_fn.alpha_p": (1,),
        "mlp.act_fn.alpha_n": (1,),
        "mlp.down_proj.weight": (shape.hidden, shape.feed_forward),
    }
