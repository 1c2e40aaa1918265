from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.huggingface.megatron import fuse_qkv, megatron_name, split_qkv


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_fusing_and_splitting_undo_each_other(kv_heads: int, per_group: int, half: int, hidden: int) -> None:
    heads, size = kv_heads * per_group, 2 * half
    fused = torch.arange((heads + 2 * kv_heads) * size * hidden).reshape(-1, hidden)
    parts = split_qkv(fused, heads=heads, kv_heads=kv_heads, head_dim=size)
    assert [len(part) for part in parts] == [heads * size, kv_heads * size, kv_heads * size]
    assert torch.equal(fuse_qkv(*parts, kv_heads=kv_heads, head_dim=size), fused)


@pytest.mark.parametrize(("heads", "hidden", "rows"), [(32, 4096, 6144), (64, 8192, 10240)], ids=["8b", "70b"])
def test_rows_of_apertus_lie_group_by_group(heads: int, hidden: int, rows: int) -> None:
    # Each row's first number is its place. The others would only take memory.
    fused = torch.arange(rows)[:, None].expand(rows, hidden)[:, :1]
    queries, keys, values = (part[:, 0].tolist() for part in split_qkv(fused, heads=heads, kv_heads=8, head_dim=128))
    per_group = heads // 8
    for group in range(8):
        first = group * (per_group + 2) * 128
        width = per_group * 128
        assert queries[group * width : (group + 1) * width] == list(range(first, first + width))
        assert keys[group * 128 : (group + 1) * 128] == list(range(first + width, first + width + 128))
        assert values[group * 128 : (group + 1) * 128] == list(range(first + width + 128, first + width + 256))


def test_rows_that_are_no_whole_heads_are_refused() -> None:
    with pytest.raises(ValueError, match=r"31 rows are not \(4 \+ 2 x 2\) heads of 4"):
        split_qkv(torch.zeros(31, 2), heads=4, kv_heads=2, head_dim=4)


def test_a_name_has_its_layer_or_its_tensor_has_all() -> None:
    name = "model.layers.7.mlp.up_proj.weight"
    assert megatron_name(name, {"decoder.layers.7.mlp.linear_fc1.weight"}) == (
        "decoder.layers.7.mlp.linear_fc1.weight",
        None,
    )
    assert megatron_name(name, {"decoder.layers.mlp.linear_fc1.weight"}) == ("decoder.layers.mlp.linear_fc1.weight", 7)
    with pytest.raises(KeyError, match=r"decoder\.layers\.7\.mlp\.linear_fc1\.weight"):
        megatron_name(name, {"decoder.layers.1.mlp.linear_fc1.weight"})
