from __future__ import annotations

import pytest
import torch

from lauter.trainer.config.watching import MetricsSection
from lauter.trainer.loop.throughput import measured, peak_flops
from lauter.trainer.parallel.ranks import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))


def test_a_configured_peak_is_taken_as_it_is() -> None:
    assert peak_flops(MetricsSection(peak_flops=3e12), ALONE, torch.float32) == 3e12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cpu_is_measured(dtype: torch.dtype) -> None:
    # Between a slow board and any CPU there is.
    assert 1e8 < measured(dtype) < 1e14
