"""A calibration of a small manifest, made once."""

from __future__ import annotations

import pytest

from lauter.pipeline.cost.calibrate import calibrate
from lauter.pipeline.cost.rates import Rates, Spent
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.resolve import load
from tests.pipeline.small_run import write_manifest
from tests.pipeline.small_stages import CATALOGUE

LINES = 120


@pytest.fixture(scope="session")
def small_manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Three files of two sources; source-a has twice as much as source-b."""
    folder = tmp_path_factory.mktemp("cost")
    files = {
        name: "".join(f"{name}-{row}\tthe words of line {row} in {name} are these\n" for row in range(LINES))
        for name in ("a0.txt", "a1.txt", "b0.txt")
    }
    path = write_manifest(folder, files, tokens_per_shard=4000, tokens_per_row_group=500, cells=16)
    return load(str(path), CATALOGUE)


@pytest.fixture(scope="session")
def small_rates(small_manifest: Manifest) -> Rates:
    """Measured on half of its records."""
    return calibrate(small_manifest, Spent(cpu_s=0.5, wall_s=0.75), sample_bytes=8000)
