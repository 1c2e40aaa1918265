"""Small encoders with random weights, made on the spot: of torch, and as a graph of ONNX written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lauter.stages.embedding.encoder import digest_of
from lauter.stages.embedding.head import Head, save
from tests.stages.encoders.small_tokenizer import make_tokenizer

WIDTH = 32


def make_encoder(folder: Path) -> None:
    """tokenizer.json, config.json and model.safetensors of XLM-R's kind, with two layers."""
    import torch
    from safetensors.torch import save_file
    from transformers import XLMRobertaConfig, XLMRobertaModel

    size = make_tokenizer(folder)
    config = XLMRobertaConfig(
        vocab_size=size, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=514, type_vocab_size=1, initializer_range=0.5,
    )  # fmt: skip
    config.save_pretrained(folder)
    torch.manual_seed(0)
    save_file(XLMRobertaModel(config, add_pooling_layer=False).state_dict(), folder / "model.safetensors")


def make_head(
    path: Path, folder: Path, languages: tuple[str, ...], *, chunks: str = "first", outputs: int = 1, seed: int = 0
) -> Head:
    """A head with random weights for the encoder of a folder."""
    generator = np.random.default_rng(seed)
    shapes = {
        "hidden.weight": (16, WIDTH), "hidden.bias": (16,), "out.weight": (outputs, 16), "out.bias": (outputs,),
    }  # fmt: skip
    weights = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    digest = digest_of(str(folder / "model.safetensors"), str(folder / "tokenizer.json"))
    head = Head(weights, "first" if chunks == "first" else "highest", languages, digest, 0.1, 0.25, {"data": "random"})
    save(head, path)
    return head


def parameters(folder: Path, heads: dict[str, list[str]]) -> dict[str, object]:
    """Parameters of the stage for the encoder of a folder."""
    names = {"weights": "model.safetensors", "encoder_config": "config.json", "tokenizer": "tokenizer.json"}
    return {field: str(folder / name) for field, name in names.items()} | {"heads": heads}


def onnx_graph(table: NDArray[np.float32]) -> bytes:
    """A graph whose hidden state of a token is its row of `table` (onnx.proto3: messages as tags, lengths, bytes)."""

    def field(number: int, value: bytes | int) -> bytes:
        if isinstance(value, int):
            return bytes([number << 3]) + varint(value)
        return bytes([number << 3 | 2]) + varint(len(value)) + value

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def value_info(name: str, element: int, axes: list[str]) -> bytes:
        shape = b"".join(field(1, field(2, axis.encode())) for axis in axes)
        return field(1, name.encode()) + field(2, field(1, field(1, element) + field(2, shape)))

    float32, int64 = 1, 7
    tensor = b"".join(field(1, size) for size in table.shape) + field(2, float32) + field(8, b"table")
    tensor += field(9, table.tobytes())
    node = field(1, b"table") + field(1, b"input_ids") + field(2, b"last_hidden_state") + field(4, b"Gather")
    graph = field(1, node) + field(2, b"rows") + field(5, tensor)
    graph += b"".join(field(11, value_info(name, int64, ["b", "t"])) for name in ("input_ids", "attention_mask"))
    graph += field(12, value_info("last_hidden_state", float32, ["b", "t", "w"]))
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 17))
