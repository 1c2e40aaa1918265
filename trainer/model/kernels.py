"""Which of two implementations the elementwise parts of a model use."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Kernels = Literal["fast", "reference"]
"""`reference`: torch, operation by operation as transformers does it, equal to it to the bit in fp32 and bf16.

`fast`: on a CPU in fp32 and bf16, one compiled pass each (norm, QK-norm with RoPE, xIELU), which rounds once where
`reference` rounds after every operation; on other devices and in fp64 the same as `reference`.
"""


def compiled(x: Tensor, parameter: Tensor, kernels: Kernels) -> bool:
    """Whether the compiled passes take this tensor: on a CPU, fp32 or bf16 with a parameter of the same dtype."""
    fits = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and x.dtype == parameter.dtype
    return kernels == "fast" and fits
