"""A checkpoint of the swiss-ai Megatron-LM fork as a checkpoint that training continues from.

Two forms are read: `torch_dist`, what the fork saves (a torch.distributed.checkpoint of whole tensors, whatever the
parallelism was), and `torch`, one rank's `model_optim_rng.pt`. Optimizer state stays behind.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.huggingface.folder import read_json
from lauter.trainer.huggingface.imported import Imported, ModelImportError
from lauter.trainer.huggingface.importing import describe_tokenizer
from lauter.trainer.huggingface.megatron import QKV, megatron_name, megatron_shape, split_qkv
from lauter.trainer.huggingface.megatron_source import MegatronSource, open_source
from lauter.trainer.huggingface.names import Shape, parameter_shapes
from lauter.trainer.huggingface.tokenizer import FILES
from lauter.trainer.model.shape import ModelShape, RopeScaling

_SIZES = {
    "layers": "num_layers",
    "hidden": "hidden_size",
    "feed_forward": "ffn_hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_query_groups",
    "head_dim": "kv_channels",
    "positions": "max_position_embeddings",
}
"""Our name -> the argument of the fork's command line."""

_WANTED: Mapping[str, object] = {
    "xielu": True,
    "swiglu": False,
    "qk_layernorm": True,
    "normalization": "RMSNorm",
    "add_bias_linear": False,
    "add_qkv_bias": False,
    "untie_embeddings_and_output_weights": True,
    "position_embedding_type": "rope",
    "rotary_percent": 1.0,
    "apply_layernorm_1p": False,
    "post_layer_norm": False,
}
"""Arguments that decide the function, and the one value that Apertus has. One that an older fork lacks is not asked."""

_NEEDED = frozenset({"xielu", "qk_layernorm", "normalization", "untie_embeddings_and_output_weights"})
"""Those whose default is another."""


def import_megatron(path: Path, out: Path, *, tokenizer: Path | None = None) -> Imported:
    """Read a checkpoint folder, or the `iter_...` folder in it; write `out`, weights only, progress 0.

    `tokenizer` is a Hugging Face folder with tokenizer.json: Megatron keeps none with its checkpoints.

    Raises:
        ModelImportError: every argument, tensor and shape that is not as an Apertus model's.
        CheckpointError: `out` holds something, or can't be written.
    """
    source = open_source(path)
    shape = shape_of_arguments(source.arguments, source.shapes)
    expected = parameter_shapes(shape)
    places = _places(source, expected, shape)
    notes: list[str] = []
    files, config = _tokenizer(tokenizer)
    described = describe_tokenizer(files, shape, config, notes)

    def read(name: str) -> Tensor:
        tensor = source.read(*places[name])
        if places[name][0].endswith(QKV):
            parts = split_qkv(tensor, heads=shape.heads, kv_heads=shape.kv_heads, head_dim=shape.head_dim)
            tensor = parts["qkv".index(name.removesuffix("_proj.weight")[-1])]
        tensor = tensor.to(torch.float32)
        if not bool(torch.isfinite(tensor).all()):
            raise ModelImportError([f"{places[name][0]} holds numbers that are not finite: the checkpoint is broken"])
        return tensor

    parent = {"form": "megatron", "name": source.folder.name, "iteration": source.iteration}
    weights = ((name, read(name)) for name in expected)
    write_weights_only(out, shape, weights, {"tokenizer": described, "parent": parent}, files)
    return Imported(shape, tuple(notes))


def shape_of_arguments(arguments: Namespace, shapes: Mapping[str, Shape]) -> ModelShape:
    """The shape of a model from the training arguments that lie in its checkpoint.

    The vocabulary is what the embedding has rows for, padding of Megatron's included.

    Raises:
        ModelImportError: the arguments are not an Apertus model's; every such one is named.
    """
    given = vars(arguments)
    problems = [
        f"--{key.replace('_', '-')} is {given.get(key)!r} in the checkpoint's arguments; Apertus has {value!r}"
        for key, value in _WANTED.items()
        if (given.get(key) if key in _NEEDED else given.get(key, value)) not in (value, *([None] if not value else []))
    ]
    sizes: dict[str, int] = {}
    for ours, theirs in _SIZES.items():
        value = given.get(theirs)
        if theirs == "kv_channels" and value is None and not problems:
            value = sizes["hidden"] // sizes["heads"]
        if theirs == "num_query_groups" and not given.get("group_query_attention", True):
            value = given.get("num_attention_heads")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problems.append(f"--{theirs.replace('_', '-')} is {value!r} in the checkpoint's arguments")
        else:
            sizes[ours] = value
    embedding = shapes.get("embedding.word_embeddings.weight")
    if embedding is None:
        problems.append("embedding.word_embeddings.weight is missing")
    if problems or embedding is None:
        raise ModelImportError(problems)
    scaling = None
    if given.get("use_rope_scaling"):
        # Only the factor is an argument; the rest is written in the fork's code (rotary_pos_embedding.py).
        scaling = RopeScaling(factor=float(given.get("rope_scaling_factor") or 8.0))
    try:
        return ModelShape(
            **sizes,
            vocabulary=embedding[0],
            rope_theta=float(given.get("rotary_base", 10_000)),
            rope_scaling=scaling,
            norm_eps=float(given.get("norm_epsilon", 1e-5)),
            init_std=float(given.get("init_method_std", 0.02)),
        )
    except ValueError as error:
        raise ModelImportError([f"the checkpoint's arguments: {error}"]) from error


def _places(
    source: MegatronSource, expected: Mapping[str, Shape], shape: ModelShape
) -> dict[str, tuple[str, int | None]]:
    places: dict[str, tuple[str, int | None]] = {}
    problems: list[str] = []
    for name, own in expected.items():
        try:
            theirs, layer = megatron_name(name, source.shapes)
        except KeyError as error:
            problems.append(f"{error.args[0]} is missing")
            continue
        wanted = megatron_shape(name, own, shape)
        if layer is not None:
            wanted = (shape.layers, *wanted)
        if source.shapes[theirs] != wanted:
            problems.append(f"{theirs} has shape {source.shapes[theirs]}; by the arguments it is {wanted}")
        places[name] = (theirs, layer)
    used = {theirs for theirs, _ in places.values()}
    problems += [f"{name} is no tensor of an Apertus model" for name in source.shapes if name not in used]
    if problems:
        told = list(dict.fromkeys(problems))
        raise ModelImportError([*told[:20], *([f"... and {len(told) - 20} more"] if len(told) > 20 else [])])
    return places


def _tokenizer(folder: Path | None) -> tuple[dict[str, bytes], dict[str, Any]]:
    if folder is None:
        return {}, {}
    if not (folder / FILES[0]).exists():
        raise ModelImportError([f"{folder} has no {FILES[0]}: name a Hugging Face folder with a tokenizer"])
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    return files, read_json(folder / "config.json") if (folder / "config.json").exists() else {}
