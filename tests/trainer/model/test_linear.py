from __future__ import annotations

import torch
from torch import Tensor

from lauter.trainer.model.linear import Linear, products


def layer() -> tuple[Linear, Tensor]:
    draw = torch.Generator().manual_seed(1)
    made = Linear(6, 4, device=None, dtype=torch.float64)
    with torch.no_grad():
        made.weight.copy_(torch.randn(4, 6, generator=draw))
    return made, torch.randn(5, 6, generator=draw, dtype=torch.float64)


def test_some_rows_only_have_a_gradient() -> None:
    made, x = layer()
    made.rows = slice(1, 3)
    made(x).sum().backward()
    assert made.weight.grad is not None
    assert torch.equal(made(x), x @ made.weight[1:3].t())
    assert made.weight.grad.abs().sum(1).gt(0).tolist() == [False, True, True, False]


def test_a_part_of_a_sum_is_handed_on() -> None:
    made, x = layer()
    expected = made(x)
    made.summed = lambda part: 2 * part
    assert torch.equal(made(x), 2 * expected)


def test_products_are_those_of_each_layer() -> None:
    (one, x), (other, _) = layer(), layer()
    other.rows = slice(0, 1)
    found = products(x, (one, other))
    assert torch.equal(found[0], one(x))
    assert torch.equal(found[1], other(x))
