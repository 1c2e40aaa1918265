"""The cache of compiled kernels, cold and warm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = (
    "import torch\n"
    "from lauter.trainer.config.sections import OptimizerSection\n"
    "from lauter.trainer.loop.compiled import compiled_before\n"
    "from lauter.trainer.optimizer.optimizer import Optimizer\n"
    "print(compiled_before())\n"
    "weight = torch.nn.Parameter(torch.ones(4))\n"
    "weight.grad = torch.ones(4)\n"
    "optimizer = Optimizer([('weight', weight)], OptimizerSection())\n"
    "optimizer.gradient_norm()\n"
    "print(compiled_before())\n"
)


@pytest.mark.slow
def test_a_new_cache_is_cold_until_the_optimizer_has_run(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "LAUTER_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["False", "True"]
