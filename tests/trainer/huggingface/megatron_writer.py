"""Writes checkpoints as the swiss-ai Megatron-LM fork does, from what its sources say; knows nothing of our mapping.

The fused projection is made head by head in a loop. A distributed checkpoint has the layers as the first axis, in the
pieces that tensor- and pipeline-parallel ranks would have saved.
"""

from __future__ import annotations

import argparse
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.state_dict_saver import save

from lauter.trainer.model.apertus import Apertus


class TransformerSettings:
    """A class that only the fork has."""


@contextmanager
def fork() -> Iterator[object]:
    """An object of the fork's own class, whose module is gone when the checkpoint is read."""
    name = "megatron"
    module = types.ModuleType(name)
    made = type("TransformerSettings", (TransformerSettings,), {"__module__": name})
    module.TransformerSettings = made  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        yield made()
    finally:
        del sys.modules[name]


def arguments(model: Apertus, **changes: object) -> argparse.Namespace:
    shape = model.shape
    given: dict[str, Any] = {
        "num_layers": shape.layers,
        "hidden_size": shape.hidden,
        "ffn_hidden_size": shape.feed_forward,
        "num_attention_heads": shape.heads,
        "group_query_attention": True,
        "num_query_groups": shape.kv_heads,
        "kv_channels": shape.head_dim,
        "padded_vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "position_embedding_type": "rope",
        "rotary_base": int(shape.rope_theta),
        "rotary_percent": 1.0,
        "use_rope_scaling": True,
        "rope_scaling_factor": 8.0,
        "normalization": "RMSNorm",
        "norm_epsilon": shape.norm_eps,
        "init_method_std": shape.init_std,
        "qk_layernorm": True,
        "xielu": True,
        "swiglu": False,
        "add_bias_linear": False,
        "add_qkv_bias": False,
        "untie_embeddings_and_output_weights": True,
        "apply_layernorm_1p": False,
        "params_dtype": torch.bfloat16,
    }
    return argparse.Namespace(**{**given, **changes})


def layer(model: Apertus, number: int, *, fused_norms: bool) -> dict[str, Tensor]:
    shape = model.shape
    state = {name: value.detach() for name, value in model.named_parameters()}
    own = {name.split(".", 3)[3]: value for name, value in state.items() if name.startswith(f"model.layers.{number}.")}
    rows = []
    per_group, size = shape.heads // shape.kv_heads, shape.head_dim
    for group in range(shape.kv_heads):
        for head in range(group * per_group, (group + 1) * per_group):
            rows.append(own["self_attn.q_proj.weight"][head * size : (head + 1) * size])
        rows.append(own["self_attn.k_proj.weight"][group * size : (group + 1) * size])
        rows.append(own["self_attn.v_proj.weight"][group * size : (group + 1) * size])
    before = "self_attention.linear_qkv.layer_norm_weight" if fused_norms else "input_layernorm.weight"
    middle = "mlp.linear_fc1.layer_norm_weight" if fused_norms else "pre_mlp_layernorm.weight"
    return {
        before: own["attention_layernorm.weight"],
        "self_attention.linear_qkv.weight": torch.cat(rows),
        "self_attention.q_layernorm.weight": own["self_attn.q_norm.weight"],
        "self_attention.k_layernorm.weight": own["self_attn.k_norm.weight"],
        "self_attention.linear_proj.weight": own["self_attn.o_proj.weight"],
        middle: own["feedforward_layernorm.weight"],
        "mlp.linear_fc1.weight": own["mlp.up_proj.weight"],
        "mlp.activation_func.alpha_p": own["mlp.act_fn.alpha_p"],
        "mlp.activation_func.alpha_n": own["mlp.act_fn.alpha_n"],
        "mlp.linear_fc2.weight": own["mlp.down_proj.weight"],
    }


def outside(model: Apertus) -> dict[str, Tensor]:
    return {
        "embedding.word_embeddings.weight": model.model.embed_tokens.weight.detach(),
        "decoder.final_layernorm.weight": model.model.norm.weight.detach(),
        "output_layer.weight": model.lm_head.weight.detach(),
    }


def save_torch(model: Apertus, folder: Path, *, fused_norms: bool, **changes: object) -> None:
    """`--ckpt-format torch`, one rank: names with the layers' numbers."""
    state = outside(model)
    for number in range(model.shape.layers):
        for name, value in layer(model, number, fused_norms=fused_norms).items():
            state[f"decoder.layers.{number}.{name}"] = value
            if name.endswith("linear_qkv.weight"):
                state[f"decoder.layers.{number}.self_attention.linear_qkv._extra_state"] = torch.zeros(3)
    rank = folder / "iter_0000050" / "mp_rank_00"
    rank.mkdir(parents=True)
    state = {name: value.to(torch.bfloat16) for name, value in state.items()}
    content = {"args": arguments(model, **changes), "iteration": 50, "model": state, "checkpoint_version": 3.0}
    torch.save(content, rank / "model_optim_rng.pt")
    (folder / "latest_checkpointed_iteration.txt").write_text("50")


def save_distributed(model: Apertus, folder: Path, *, fused_norms: bool, **changes: object) -> None:
    """`--ckpt-format torch_dist`: one tensor for all layers, a piece a layer; optimizer state beside it."""
    each = [layer(model, number, fused_norms=fused_norms) for number in range(model.shape.layers)]
    state = {f"decoder.layers.{name}": torch.stack([own[name] for own in each]) for name in each[0]} | outside(model)
    state |= {f"optimizer.state.exp_avg.{name}": torch.zeros_like(value) for name, value in list(state.items())}
    target = folder / "iter_0000050"
    target.mkdir(parents=True)
    _save_in_pieces({name: value.to(torch.bfloat16) for name, value in state.items()}, target)
    with fork() as settings:
        torch.save({"args": arguments(model, settings=settings, **changes), "iteration": 50}, target / "common.pt")
    (target / "metadata.json").write_text('{"sharded_backend": "torch_dist", "sharded_backend_version": 1}')
    (folder / "latest_checkpointed_iteration.txt").write_text("50")


def _save_in_pieces(state: dict[str, Tensor], folder: Path) -> None:
    """As two tensor-parallel ranks would: every matrix in halves, of each layer by itself."""
    from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, MetadataIndex, TensorProperties
    from torch.distributed.checkpoint.planner import SavePlan, TensorWriteData, WriteItem, WriteItemType

    items, values = [], {}
    for name, whole in state.items():
        for piece, offsets in _pieces(whole, stacked=".layers." in name):
            index = MetadataIndex(name, torch.Size(offsets))
            chunk = ChunkStorageMetadata(torch.Size(offsets), piece.shape)
            data = TensorWriteData(chunk, TensorProperties.create_from_tensor(whole), whole.shape)
            items.append(WriteItem(index, WriteItemType.SHARD, tensor_data=data))
            values[name, tuple(offsets)] = piece.contiguous()

    class Planner(DefaultSavePlanner):
        def create_local_plan(self) -> SavePlan:
            self.plan = SavePlan(items, planner_data={})
            return self.plan

        def resolve_data(self, write_item: WriteItem) -> Any:  # noqa: ANN401 - torch's signature
            assert write_item.index.offset is not None
            return values[write_item.index.fqn, tuple(write_item.index.offset)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no process group
        save(state, checkpoint_id=folder, planner=Planner(), no_dist=True)


def _pieces(whole: Tensor, *, stacked: bool) -> list[tuple[Tensor, list[int]]]:
    axis = 1 if stacked else 0
    starts = range(whole.shape[0]) if stacked else [0]
    found = []
    for start in starts:
        layer = whole[start : start + 1] if stacked else whole
        half = layer.shape[axis] // 2
        for offset, length in ((0, half), (half, layer.shape[axis] - half)):
            if length:
                offsets = [0] * whole.ndim
                offsets[0] = start
                offsets[axis] += offset
                found.append((layer.narrow(axis, offset, length), offsets))
    return found
