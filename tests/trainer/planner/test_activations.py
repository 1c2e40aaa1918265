"""What a layer keeps, counted on real layers: every storage that autograd saves, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from lauter.trainer.batch import Bounds
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.layer import Layer
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.rope import cos_sin, inverse_frequencies
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.recompute import recompute
from lauter.trainer.planner.activations import Precision, activations

SHAPE = ModelShape(1, 96, 320, 6, 2, 16, 64, 64)
TOKENS = 64
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}


def saved_bytes(precision: Precision, kernels: Literal["fast", "reference"], mode: str) -> int:
    dtype = DTYPES[precision]
    layer = Layer(SHAPE, device=None, dtype=dtype, kernels=kernels)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    recompute(layer, mode)  # type: ignore[arg-type]
    turns = cos_sin(torch.arange(TOKENS), inverse_frequencies(SHAPE), dtype)
    x = torch.randn(TOKENS, SHAPE.hidden, dtype=dtype, requires_grad=True)
    bounds = Bounds.of([TOKENS])
    shared = {one.untyped_storage().data_ptr() for one in (*layer.parameters(), *turns, bounds.cu_seqlens)}
    found: dict[int, Tensor] = {}

    def keep(one: Tensor) -> Tensor:
        # Not what all layers share, and not the few numbers of xIELU.
        if one.untyped_storage().data_ptr() not in shared and one.numel() >= TOKENS:
            found[one.untyped_storage().data_ptr()] = one
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        y = layer(x, turns, bounds)
    assert y.requires_grad
    # Quotients of norms are one number a row, of 96 and more that are counted.
    return sum(one.untyped_storage().nbytes() for one in found.values() if one.numel() > TOKENS * SHAPE.heads)


@pytest.mark.parametrize(
    ("precision", "kernels"),
    [("bf16", "fast"), ("fp32", "fast"), ("bf16", "reference"), ("fp32", "reference"), ("fp64", "reference")],
)
@pytest.mark.parametrize("mode", ["none", "selective"])
def test_what_a_layer_keeps(
    precision: Precision, kernels: Literal["fast", "reference"], mode: Literal["none", "selective"]
) -> None:
    section = ParallelSection(recompute=mode)
    forecast = activations(SHAPE, section, TOKENS, precision, fused=kernels == "fast")
    normalisers = TOKENS * SHAPE.heads * (8 if precision == "fp64" else 4)
    assert saved_bytes(precision, kernels, mode) == forecast.kept - normalisers


def test_apertus_keeps_18_widths_a_token_and_recomputes_most_of_them() -> None:
    shape = PRESETS["apertus-8b"]
    all_, some, least = (
        activations(shape, ParallelSection(recompute=mode), 4096, "bf16", fused=True)
        for mode in ("none", "selective", "full")
    )
    width = 4096 * shape.hidden * 2
    assert all_.kept / width == pytest.approx(18.25, rel=1e-3)
    assert some.kept / width == pytest.approx(7.75, rel=3e-3)
    assert least.kept == least.state == width
    assert [one.kept + one.again for one in (all_, some, least)] == [all_.kept] * 3


def test_a_tensor_group_shares_all_but_what_it_gathers() -> None:
    shape = PRESETS["apertus-8b"]
    one = activations(shape, ParallelSection(), 4096, "bf16", fused=True)
    four = activations(shape, ParallelSection(tensor=4), 4096, "bf16", fused=True)
    whole = activations(shape, ParallelSection(tensor=4, sequence=False), 4096, "bf16", fused=True)
    assert one.kept == 4 * four.kept
    # The residual stream and the norms' results, four widths, are there on each rank.
    assert whole.kept - four.kept == 4 * 4096 * shape.hidden * 2 * 3 // 4
    # A key head that two ranks share is there twice: two heads over four ranks take as much as four.
    two, all_ = (
        activations(replace(shape, kv_heads=heads), ParallelSection(tensor=4), 4096, "bf16", fused=True)
        for heads in (2, 4)
    )
    assert two.kept == all_.kept
