"""One layer: shards of heads, and `torch.compile`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lauter.trainer.batch import Bounds
from lauter.trainer.model.initialise import first_values
from lauter.trainer.model.layer import Layer
from lauter.trainer.model.rope import cos_sin, inverse_frequencies
from lauter.trainer.model.shape import ModelShape

SHAPE = ModelShape(1, 32, 80, 4, 2, 8, 64, 64, init_std=0.2)


def made(shape: ModelShape = SHAPE, dtype: torch.dtype = torch.float32) -> Layer:
    layer = Layer(shape, device=None, dtype=dtype)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(first_values(name, parameter.shape, shape, 1))
    return layer


def inputs(lengths: list[int], dtype: torch.dtype = torch.float32) -> tuple[Tensor, tuple[Tensor, Tensor], Bounds]:
    positions = torch.cat([torch.arange(length) for length in lengths])
    x = torch.randn(len(positions), SHAPE.hidden, generator=torch.Generator().manual_seed(len(lengths)), dtype=dtype)
    return x, cos_sin(positions, inverse_frequencies(SHAPE), dtype), Bounds.of(lengths)


def test_shards_of_heads_add_up_to_the_whole() -> None:
    layer = made(dtype=torch.float64)
    x, turns, bounds = inputs([5, 9], torch.float64)
    whole = layer.self_attn(x, turns, bounds, None)
    parts = []
    for shard in range(2):
        half = made(ModelShape(1, 32, 80, 2, 1, 8, 64, 64), torch.float64).self_attn
        with torch.no_grad():
            for name in ("q_proj", "k_proj", "v_proj"):
                weight = layer.self_attn.get_parameter(f"{name}.weight")
                half.get_parameter(f"{name}.weight").copy_(weight.chunk(2)[shard])
            half.o_proj.weight.copy_(layer.self_attn.o_proj.weight.chunk(2, dim=1)[shard])
        parts.append(half(x, turns, bounds, None))
    torch.testing.assert_close(parts[0] + parts[1], whole, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_compiles_as_one_graph_that_serves_other_documents() -> None:
    plain, compiled = made(), made()
    compiled.compile(backend="aot_eager", fullgraph=True)
    for lengths in ([10, 20], [7, 3, 20], [30]):
        arguments = inputs(lengths)
        for layer in (plain, compiled):
            layer.zero_grad()
            layer(*arguments).square().sum().backward()
        for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-6, atol=1e-6)
