"""The most memory a process held."""

from __future__ import annotations

import resource
import sys

import torch

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes that `ru_maxrss` counts in: getrusage(2) of macOS and of Linux."""


def peak_memory(device: torch.device) -> int:
    """Bytes, since the start of the process: of the GPU's allocated tensors, or of all that lies in RAM on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
