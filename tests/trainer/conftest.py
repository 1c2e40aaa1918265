"""Settings of the trainer's tests."""

from __future__ import annotations

import torch

# Two test processes share two cores.
torch.set_num_threads(1)
