"""The most memory a process held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def peak_memory(device: torch.device) -> int:
    """Bytes, since the start of the process: of the GPU's allocated tensors, or of all that lies in RAM on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATUS.exists():
        # Not getrusage's, which on Linux begins with what the process that started this one held.
        return next(1024 * int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes with macOS, KiB elsewhere.
    return used if sys.platform == "darwin" else 1024 * used
