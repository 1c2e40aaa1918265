"""Results do not depend on which kernel of a machine was compiled first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import sys
import numpy as np
from lauter.trainer.loss import softmax_kernel
from lauter.trainer.model import xielu_kernel

if sys.argv[1] == "callee":
    xielu_kernel.expm1(np.float32(-1)), softmax_kernel.power_of_two(np.float32(-1))
x = np.fromfile("x", np.float32)
y, top, total = np.empty_like(x), np.empty((1, 1), np.float32), np.empty((1, 1), np.float32)
xielu_kernel.forward(x, y, np.float32(0.7), np.float32(1.2))
softmax_kernel.partial_sums(x[:, None].copy(), top, total)
y.tofile("xielu")
total.tofile("sums")
"""


@pytest.mark.slow
def test_xielu_near_zero_whichever_is_compiled_first(tmp_path: Path) -> None:
    # With sums in any order inside expm1, which numba would let it inherit, xIELU is off by 6.6 % at -1e-6.
    x = -np.geomspace(1.01e-6, 1e-3, 2000).astype(np.float32)
    wide = x.astype(np.float64)
    exact = np.float64(np.float32(1.2)) * (np.expm1(wide) - wide) + 0.5 * wide
    sums = []
    for first in ("caller", "callee"):
        folder = tmp_path / first
        folder.mkdir()
        x.tofile(folder / "x")
        settings = {**os.environ, "LAUTER_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", PROGRAM, first], cwd=folder, env=settings, check=True)
        np.testing.assert_allclose(np.fromfile(folder / "xielu", np.float32), exact, rtol=1e-6, atol=0)
        sums.append(np.fromfile(folder / "sums", np.float32))
    caller_first, callee_first = sums
    np.testing.assert_array_equal(caller_first, callee_first)
