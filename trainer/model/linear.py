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
    lora_a: nn.Parameter | None
    lora_b: nn.Parameter | None
    """A, shape (rank, inputs), and B, shape (outputs, rank), of a low-rank part (`low_rank.py`), shared as W is."""

    def __init__(self, inputs: int, outputs: int, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__(inputs, outputs, bias=False, device=device, dtype=dtype)
        self.product: Product = linear
        self.register_parameter("lora_a", None)
        self.register_parameter("lora_b", None)
        self.scale = 1.0
        """Of the low-rank part."""
        self.summed: Callable[[Tensor], Tensor] | None = None
        """What adds up the results where other ranks have other inputs; None: this rank has all."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        found = self.product(x, self.part())
        if self.lora_a is not None and self.lora_b is not None:
            narrow = linear(x, local(self.lora_a))
            found = torch.addmm(found, narrow, self._own(self.lora_b).t(), alpha=self.scale)
        return found if self.summed is None else self.summed(found)

    def part(self) -> Tensor:
        """What this rank multiplies with."""
        return self._own(self.weight)

    def _own(self, parameter: Tensor) -> Tensor:
        here = local(parameter)
        return here if self.rows is None else here[self.rows]


Products = Callable[[Tensor, Sequence[Linear]], tuple[Tensor, ...]]
"""Form of `products`."""


def products(x: Tensor, layers: Sequence[Linear]) -> tuple[Tensor, ...]:
    """Of each layer the result of one x."""
    return tuple(layer(x) for layer in layers)
