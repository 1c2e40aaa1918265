"""A product with a matrix, or with this rank's part of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lauter.trainer.model.local import local

Product = Callable[[Tensor, Tensor], Tensor]
"""x (..., inputs) and a weight (outputs, inputs) to x W^T (..., outputs)."""


class Linear(nn.Linear):
    """x W^T without a bias, W of shape (outputs, inputs)."""

    rows: slice | None = None
    """Of this rank's part of W only these; their results are all that there is of it."""

    def __init__(self, inputs: int, outputs: int, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__(inputs, outputs, bias=False, device=device, dtype=dtype)
        self.product: Product = linear
        self.summed: Callable[[Tensor], Tensor] | None = None
        """What adds up the results where other ranks have other inputs; None: this rank has all."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        found = self.product(x, self.part())
        return found if self.summed is None else self.summed(found)

    def part(self) -> Tensor:
        """What this rank multiplies with."""
        weight = local(self.weight)
        return weight if self.rows is None else weight[self.rows]


Products = Callable[[Tensor, Sequence[Linear]], tuple[Tensor, ...]]
"""Form of `products`."""


def products(x: Tensor, layers: Sequence[Linear]) -> tuple[Tensor, ...]:
    """Of each layer the result of one x."""
    return tuple(layer(x) for layer in layers)
