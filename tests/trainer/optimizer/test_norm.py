from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lauter.trainer.optimizer.norm import clip_scale, total_norm


@pytest.mark.parametrize(("norm", "clip"), [(3.0, 0.1), (0.05, 0.1), (0.1, 0.1), (7.0, None)])
def test_clips_as_torch_does(norm: float, clip: float | None) -> None:
    parameter = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    parameter.grad = torch.tensor([norm, 0.0], dtype=torch.float64)
    if clip is not None:
        nn.utils.clip_grad_norm_([parameter], clip)
    assert norm * clip_scale(norm, clip) == pytest.approx(parameter.grad[0].item(), rel=1e-15)


def test_adds_the_squares_of_all() -> None:
    squares = [torch.tensor(value, dtype=torch.float64) for value in (9.0, 16.0)]
    assert total_norm([(torch.zeros(1), one) for one in squares]) == 5.0
    assert total_norm([]) == 0.0


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_finite_stays_so(value: float) -> None:
    norm = total_norm([(torch.zeros(1), torch.tensor(value, dtype=torch.float64))])
    assert norm == pytest.approx(value, nan_ok=True)
