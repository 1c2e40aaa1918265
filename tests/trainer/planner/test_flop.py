from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lauter.trainer.batch import Bounds
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.planner.flop import flop


def test_apertus_total_is_what_was_published() -> None:
    found = flop(PRESETS["apertus-70b"], 4096, "none")
    assert found.full_attention * 15e12 == pytest.approx(6.74e24, rel=1e-3)
    assert found.model * 15e12 == pytest.approx(6.74e24, rel=0.05)


def test_products_are_those_that_torch_counts() -> None:
    shape = ModelShape(2, 64, 192, 4, 2, 16, 256, 64)
    model = Apertus(shape)
    tokens = torch.zeros(64, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(tokens, torch.arange(64, dtype=torch.int32), Bounds.of([64])).sum().backward()
    attention = 6 * shape.layers * shape.heads * shape.head_dim * 64
    norms = shape.parameters - sum(one.numel() for one in model.parameters() if one.dim() > 1)
    # torch does not know our attention, and norms and scalars multiply nothing in its count.
    expected = 64 * (flop(shape, 64, "none").model - attention - 6 * norms)
    assert counter.get_total_flops() == expected


def test_recomputation_is_a_forward_pass_of_what_is_dropped() -> None:
    shape = PRESETS["apertus-8b"]
    none, some, full = (flop(shape, 4096, mode) for mode in ("none", "selective", "full"))
    assert none.recomputed == 0
    assert some.recomputed == 2 * shape.layers * shape.hidden * shape.feed_forward
    layers = none.model - 6 * (shape.vocabulary * shape.hidden + shape.hidden)
    assert full.recomputed == pytest.approx(layers / 3, rel=1e-3)
    assert full.computed == none.model + full.recomputed
