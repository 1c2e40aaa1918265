from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from lauter.trainer.huggingface.shards import ShardWriter, cut, index_json, parse_size

SHAPES = {"a": (3, 5), "b": (), "c": (7,), "d": (2, 2, 2)}


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("500mb", 5 * 10**8), ("2GiB", 2**31), ("1KB", 1000)])
def test_sizes_are_read_as_transformers_writes_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["5", "GB", "0GB", "-1GB", "5GBs", "1.5GB", ""])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 400))
def test_every_tensor_is_in_one_file_and_no_file_is_too_large(sizes: list[int], largest: int) -> None:
    tensors = {f"t{n}": (size,) for n, size in enumerate(sizes)}
    shards = cut(tensors, 2, largest)
    assert [name for shard in shards for name in shard.tensors] == list(tensors)
    for shard in shards:
        total = sum(2 * math.prod(shape) for shape in shard.tensors.values())
        assert total <= largest or len(shard.tensors) == 1
    assert len({shard.name for shard in shards}) == len(shards)


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_safetensors_reads_what_was_written_in_any_order(tmp_path: Path, dtype: str) -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    shards = cut(SHAPES, 4, 70)
    writer = ShardWriter(tmp_path, shards, dtype)
    for name in ("d", "a", "c", "b"):
        writer.write(name, tensors[name])
    size = writer.finish()
    found = {name: tensor for shard in shards for name, tensor in load_file(tmp_path / shard.name).items()}
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        # torch rounds to nearest, ties to even.
        assert torch.equal(found[name], tensor.to(torch.bfloat16) if dtype == "bf16" else tensor)
    assert index_json(shards, 4)["weight_map"] == {name: shard.name for shard in shards for name in shard.tensors}


def test_bytes_are_those_of_the_safetensors_library(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}
    writer = ShardWriter(tmp_path, cut({"a": (2, 3), "b": (4,)}, 4, 10**6), "fp32")
    for name, tensor in tensors.items():
        writer.write(name, tensor)
    writer.finish()
    save_file(tensors, tmp_path / "theirs", metadata={"format": "pt"})
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_a_transposed_view_is_written_in_its_own_order(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3).T
    writer = ShardWriter(tmp_path, cut({"a": (3, 2)}, 4, 10**6), "fp32")
    writer.write("a", tensor)
    writer.finish()
    assert torch.equal(load_file(tmp_path / "model.safetensors")["a"], tensor)


def test_a_tensor_that_never_comes_or_comes_twice_or_differs_is_an_error(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, cut({"a": (2,), "b": (2,)}, 4, 10**6), "fp32")
    with pytest.raises(ValueError, match=r"a has shape \(3,\), not \(2,\)"):
        ShardWriter(tmp_path, cut({"a": (2,)}, 4, 10**6), "fp32").write("a", torch.ones(3))
    writer.write("a", torch.ones(2))
    with pytest.raises(KeyError):
        writer.write("a", torch.ones(2))
    with pytest.raises(ValueError, match="1 tensors never came, the first b"):
        writer.finish()
