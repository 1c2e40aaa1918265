"""The input embedding, with a gradient that is summed in float32 and rounded once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.model.embedding_kernel import sum_rows
from lauter.trainer.model.local import local
from lauter.trainer.threads import threads

_ZEROS = {torch.bfloat16: np.uint16, torch.float32: np.float32}
"""What kernels take, and their numpy dtype; bf16 as its bits."""


class Embedding(nn.Module):
    """A row of the weight, shape (ids, width), for every token.

    torch's own adds a bf16 gradient up in bf16 on a CPU: the row of a token that stands 1,024 times among 4,096 was off
    by 3.6 %.
    """

    def __init__(self, ids: int, width: int, *, device: torch.device | str | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(ids, width, device=device, dtype=dtype))

    def forward(self, tokens: Tensor) -> Tensor:
        """(T,) int64 to (T, width); raises `IndexError` for an id that there is not."""
        return cast(Tensor, _Rows.apply(local(self.weight), tokens))  # type: ignore[no-untyped-call]


class _Rows(torch.autograd.Function):
    """(weight, tokens) -> rows; keeps only the tokens for the backward pass."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(tokens)
        ctx.ids = len(weight)
        return nn.functional.embedding(tokens, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (tokens,) = ctx.saved_tensors
        return gradient(grad, tokens, ctx.ids), None


def gradient(grad: Tensor, tokens: Tensor, ids: int) -> Tensor:
    """Of the weight: for every id the sum of its tokens' rows of `grad`, shape (T, width), in `grad`'s dtype.

    Added up in float32 (float64 for float64), in the tokens' order on a CPU, whatever the number of threads.
    """
    size = ids, grad.shape[1]
    if grad.device.type != "cpu" or grad.dtype not in _ZEROS:
        wide = torch.zeros(size, dtype=torch.promote_types(grad.dtype, torch.float32), device=grad.device)
        return wide.index_add_(0, tokens, grad.to(wide.dtype)).to(grad.dtype)
    ordered, places = tokens.sort(stable=True)
    present, counts = ordered.unique_consecutive(return_counts=True)
    # numpy asks the system for zeros, so that no page without a token is ever written: with 131,072 x 256 in bf16 and
    # 1,024 tokens 7 ms, 29 ms if torch fills it (a first read included: 15 and 32).
    out = np.zeros(size, _ZEROS[grad.dtype])
    with threads(grad.numel()):
        sum_rows(array_of(grad.contiguous()), array_of(places), array_of(counts.cumsum(0)), array_of(present), out)
    return torch.from_numpy(out).view(grad.dtype)
