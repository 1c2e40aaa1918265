"""Vectors against a direct forward pass of transformers, and against the graph's own table."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from lauter.stages.embedding.encoder import Device, Precision, TorchModel, digest_of, embed, load
from lauter.stages.encoders.chunks import Chunker
from tests.stages.embedding.encoders import onnx_graph
from tests.stages.encoders.small_tokenizer import TEXTS

needs_onnx = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")


def chunks_of(folder: Path) -> list[list[int]]:
    chunker = Chunker(str(folder / "tokenizer.json"), 512)
    return [chunker.first(text) for text in [*TEXTS, "", TEXTS[0] * 20, " ".join(TEXTS * 3)]]


def test_a_vector_is_the_mean_over_the_tokens(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import XLMRobertaConfig, XLMRobertaModel

    model = XLMRobertaModel(XLMRobertaConfig.from_pretrained(folder), add_pooling_layer=False).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    chunks = chunks_of(folder)
    with torch.no_grad():
        wanted = [model(input_ids=torch.tensor([chunk])).last_hidden_state[0].mean(0).numpy() for chunk in chunks]
    found = embed(
        load(str(folder / "model.safetensors"), str(folder / "config.json"), "cpu", "float32", 1), chunks, 512, 1
    )
    np.testing.assert_allclose(found, np.stack(wanted), atol=2e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_vector_does_not_depend_on_its_batch(folder: Path, precision: str) -> None:
    model = TorchModel(
        str(folder / "model.safetensors"), str(folder / "config.json"), "cpu",
        "float32" if precision == "float32" else "bfloat16", 1,
    )  # fmt: skip
    chunks = chunks_of(folder)
    together = embed(model, chunks, 2048, 1)
    alone = np.concatenate([embed(model, [chunk], 2048, 1) for chunk in chunks])
    assert together.tobytes() == alone.tobytes()
    assert embed(model, chunks[::-1], 2048, 1)[::-1].tobytes() == together.tobytes()


def test_weights_of_a_masked_language_model_are_read(folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    state = {f"roberta.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    extra = {"lm_head.bias": torch.zeros(3), "roberta.embeddings.position_ids": torch.arange(514)[None]}
    torch.save({**state, **extra}, tmp_path / "pytorch_model.bin")
    names: tuple[str, Device, Precision, int] = (str(folder / "config.json"), "cpu", "float32", 1)
    chunks = chunks_of(folder)
    found = embed(load(str(tmp_path / "pytorch_model.bin"), *names), chunks, 512, 1)
    assert found.tobytes() == embed(load(str(folder / "model.safetensors"), *names), chunks, 512, 1).tobytes()


def test_weights_that_run_code_are_refused(folder: Path, tmp_path: Path) -> None:
    import torch

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    torch.save(Payload(), tmp_path / "evil.bin")
    with pytest.raises(ValueError, match="holds no weights: Weights only load failed"):
        load(str(tmp_path / "evil.bin"), str(folder / "config.json"), "cpu", "float32", 1)
    assert not (tmp_path / "pwned").exists()


def test_files_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    weights, config = str(folder / "model.safetensors"), str(folder / "config.json")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="none of bert, roberta, xlm-roberta"):
        load(weights, str(tmp_path / "config.json"), "cpu", "float32", 1)
    (tmp_path / "other.json").write_text(Path(config).read_text().replace('"hidden_size": 32', '"hidden_size": 64'))
    with pytest.raises(ValueError, match="do not fit"):
        load(weights, str(tmp_path / "other.json"), "cpu", "float32", 1)
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="no file of safetensors"):
        load(str(tmp_path / "bad.safetensors"), config, "cpu", "float32", 1)
    with pytest.raises(ValueError, match=r"needs its config\.json"):
        load(weights, None, "cpu", "float32", 1)


@needs_onnx
def test_a_graph_is_run_by_onnxruntime(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    (tmp_path / "model.onnx").write_bytes(onnx_graph(table))
    chunks = [[0, 7, 9, 2], [0, 2], list(range(3, 39)) * 4]
    found = embed(load(str(tmp_path / "model.onnx"), None, "cpu", "float32", 1), chunks, 512, 1)
    np.testing.assert_allclose(found, np.stack([table[chunk].mean(0) for chunk in chunks]), atol=1e-6)


@needs_onnx
def test_what_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ValueError, match="cannot be run by onnxruntime"):
        load(str(tmp_path / "model.onnx"), None, "cpu", "float32", 1)


def test_the_digest_is_that_of_weights_and_tokenizer(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    names = [str(tmp_path / name) for name in "abc"]
    assert len({digest_of(first, second) for first in names for second in names}) == 9
