"""First values: their distributions, and that nothing but seed, name and shape decides them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import first_values, initialise
from lauter.trainer.model.shape import ModelShape

SHAPE = ModelShape(2, 64, 160, 4, 2, 16, 512, 128, init_std=0.02)


def test_distributions() -> None:
    model = Apertus(SHAPE)
    initialise(model, 1)
    for name, parameter in model.named_parameters():
        values = parameter.detach().double()
        if "norm" in name:
            assert (values == 1).all(), name
        elif "alpha" in name:
            start = 0.8 if name.endswith("alpha_p") else 0.3
            assert torch.nn.functional.softplus(values).item() == pytest.approx(start, abs=1e-7), name
        else:
            residual = "o_proj" in name or "down_proj" in name
            std = 0.02 / math.sqrt(4) if residual else 0.02
            # 5 standard errors.
            assert values.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * values.numel())), name
            assert abs(values.mean().item()) < 5 * std / math.sqrt(values.numel()), name


def test_values_follow_from_seed_name_and_shape_only() -> None:
    base = first_values("model.layers.0.mlp.up_proj.weight", torch.Size([160, 64]), SHAPE, 1)
    torch.manual_seed(99)
    assert torch.equal(base, first_values("model.layers.0.mlp.up_proj.weight", torch.Size([160, 64]), SHAPE, 1))
    others = [
        first_values("model.layers.0.mlp.up_proj.weight", torch.Size([160, 64]), SHAPE, 2),
        first_values("model.layers.1.mlp.up_proj.weight", torch.Size([160, 64]), SHAPE, 1),
        first_values("model.layers.0.mlp.up_proj.weight", torch.Size([161, 64]), SHAPE, 1)[:160],
    ]
    assert not any(torch.isclose(base, other).float().mean() > 0.01 for other in others)


def test_more_layers_leave_the_first_ones_alone() -> None:
    small, large = Apertus(SHAPE), Apertus(replace(SHAPE, layers=3))
    initialise(small, 4)
    initialise(large, 4)
    name = "model.layers.1.self_attn.q_proj.weight"
    assert torch.equal(small.get_parameter(name), large.get_parameter(name))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_other_dtypes_are_the_fp32_values_rounded(dtype: torch.dtype) -> None:
    wide, other = Apertus(SHAPE), Apertus(SHAPE, dtype=dtype)
    initialise(wide, 4)
    initialise(other, 4)
    for one, two in zip(wide.parameters(), other.parameters(), strict=True):
        assert torch.equal(one.to(dtype), two)


def test_a_sharded_model_is_the_whole_one(tmp_path: Path) -> None:
    whole = Apertus(SHAPE)
    initialise(whole, 4)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = Apertus(SHAPE, device="meta")
        mesh = init_device_mesh("cpu", (1,))
        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        model.to_empty(device="cpu")
        initialise(model, 4)
        for one, two in zip(whole.parameters(), model.parameters(), strict=True):
            assert isinstance(two, DTensor)
            assert torch.equal(one, two.full_tensor())
    finally:
        dist.destroy_process_group()
