"""A product with a matrix, or with this rank's part of one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lauter.trainer.model.local import local


class Linear(nn.Linear):
    """x W^T without a bias, W of shape (outputs, inputs)."""

    rows: slice | None = None
    """Of this rank's part of W only these; their results are all that there is of it."""

    def __init__(self, inputs: int, outputs: int, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__(inputs, outputs, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        weight = local(self.weight)
        return linear(x, weight if self.rows is None else weight[self.rows])
