"""The trainer's tests need torch (extra `train`); without it they are skipped, and say so."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lauter[train]'")

# Two test processes share two cores.
torch.set_num_threads(1)
