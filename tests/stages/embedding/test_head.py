"""Heads: their file, and their logits against torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lauter.stages.embedding.head import Head, from_state, load, save
from tests.stages.embedding.encoders import WIDTH, make_head

VECTORS = np.random.default_rng(1).normal(size=(9, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("outputs", [1, 2])
def test_logits_equal_those_of_torch(folder: Path, tmp_path: Path, outputs: int) -> None:
    import torch

    head = make_head(tmp_path / "head", folder, ("deu_Latn",), outputs=outputs)
    linear, names = torch.nn.Linear, ("0.weight", "0.bias", "3.weight", "3.bias")
    layers = torch.nn.Sequential(linear(WIDTH, 16), torch.nn.ReLU(), torch.nn.Dropout(), linear(16, outputs))
    given = zip(names, head.weights.values(), strict=True)
    layers.load_state_dict({name: torch.from_numpy(value) for name, value in given})
    with torch.no_grad():
        out = layers.eval()(torch.from_numpy(VECTORS)).numpy()
    wanted = out[:, 0] if outputs == 1 else out[:, 1] - out[:, 0]
    np.testing.assert_allclose(head.raw(VECTORS), wanted, atol=1e-4)
    np.testing.assert_allclose(head.log_odds(VECTORS), 0.1 * wanted + 0.25, atol=1e-4)
    torch.save(layers.state_dict(), tmp_path / "bare.pt")
    assert all(
        np.array_equal(value, head.weights[name]) for name, value in from_state(str(tmp_path / "bare.pt")).items()
    )


def test_a_file_gives_the_head_back_and_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    head = make_head(tmp_path / "one", folder, ("deu_Latn", "fra_Latn"), chunks="highest")
    found = load(str(tmp_path / "one"))
    assert found.facts() == head.facts()
    assert found.raw(VECTORS).tobytes() == head.raw(VECTORS).tobytes()
    save(found, tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_head_refuses_vectors_of_another_width(folder: Path, tmp_path: Path) -> None:
    head = make_head(tmp_path / "head", folder, ("deu_Latn",))
    with pytest.raises(ValueError, match="width 32, and the encoder gives 8"):
        head.raw(VECTORS[:, :8])


def test_what_is_no_head(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    head = make_head(tmp_path / "head", folder, ("deu_Latn",))
    path = tmp_path / "bad"
    path.write_bytes(b"x" * 200)
    with pytest.raises(ValueError, match="no file of safetensors"):
        load(str(path))
    save_file(dict(head.weights), path)
    with pytest.raises(ValueError, match="no head of Lauter"):
        load(str(path))
    bad: tuple[tuple[dict[str, NDArray[Any]], str], ...] = (
        ({"out.bias": np.zeros(3, np.float32)}, "do not fit"),
        ({"hidden.bias": np.zeros(16)}, "float32"),
        ({"hidden.bias": np.full(16, np.nan, np.float32)}, "not finite"),
    )
    for weights, match in bad:
        save(replace(head, weights={**head.weights, **weights}), path)
        with pytest.raises(ValueError, match=match):
            load(str(path))
    for slope, offset in ((-1.0, 0.0), (float("inf"), 0.0), (1.0, float("nan"))):
        save(replace(head, slope=slope, offset=offset), path)
        with pytest.raises(ValueError, match="keeps no order"):
            load(str(path))
    with pytest.raises(FileNotFoundError):
        load(str(tmp_path / "nothing"))


def test_bare_weights_that_are_no_head(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a.weight": np.zeros((3, 2), np.float32)}, tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="weight and bias of two layers"):
        from_state(str(tmp_path / "bare.safetensors"))


def test_layers_are_told_apart_by_their_shapes(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    head = make_head(tmp_path / "head", folder, ())
    names = ("z.weight", "z.bias", "a.weight", "a.bias")
    save_file(dict(zip(names, head.weights.values(), strict=True)), tmp_path / "bare.safetensors")
    found = Head(from_state(str(tmp_path / "bare.safetensors")), "first", (), "")
    assert found.raw(VECTORS).tobytes() == head.raw(VECTORS).tobytes()
