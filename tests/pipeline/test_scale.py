"""The scale proof: synthetic records through the disk, in memory that does not grow with them.

`make soak` runs 10^7 and 10^8. 10^9 take 40 GB of disk and half an hour of a quiet core; one test after the other:

    LAUTER_SCALE=1e9 python -m pytest -n 0 -s -m soak tests/pipeline/test_scale.py

Rates are printed (`-s`) and gate nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.scale_run import Do, Phase, component_phases, exchange_phases, in_a_process, measured

MOST = int(float(os.environ.get("LAUTER_SCALE", "1e8")))
SIZES = [size for size in (10**7, 10**8, 10**9) if size <= MOST]
FLAT = 1.2
"""Peak of the largest run over that of the smallest, at most."""
CONSTANT = 160 << 20
"""Of `unite`, besides the nodes: edges that are mapped, and what the lists and the digest of the file take."""


def run(
    phases: Callable[[Path, int, Do], Iterator[Phase]], folder: Path, size: int, do: Do = in_a_process
) -> dict[str, Phase]:
    found = {}
    for phase in phases(folder, size, do):
        print(
            f"{phase.name:13} {phase.records:13,} {phase.records / max(phase.seconds, 0.01) / 1e6:7.2f} M/s  "
            f"{phase.peak_bytes / 1e6:8.0f} MB  {phase.found}"
        )
        found[phase.name] = phase
    return found


def test_small_runs_find_what_is_there(tmp_path: Path) -> None:
    """The proof itself, where it takes a few seconds."""
    for phases, last in ((exchange_phases, "meet"), (component_phases, "check")):
        assert run(phases, tmp_path, 30_000, measured)[last].found["right"] == 30_000


@pytest.mark.soak
def test_the_exchange_is_flat(tmp_path: Path) -> None:
    run(exchange_phases, tmp_path, 1000)  # compiles
    runs = [run(exchange_phases, tmp_path, size) for size in SIZES]
    for size, phases in zip(SIZES, runs, strict=True):
        assert phases["meet"].found["right"] == size
    for name in ("write", "meet"):
        assert runs[-1][name].peak_bytes <= FLAT * runs[0][name].peak_bytes


@pytest.mark.soak
def test_components_take_five_bytes_a_node(tmp_path: Path) -> None:
    run(component_phases, tmp_path, 1000)  # compiles
    runs = [run(component_phases, tmp_path, size) for size in SIZES]
    for size, phases in zip(SIZES, runs, strict=True):
        assert phases["check"].found["right"] == size
        unite = phases["unite"]
        assert unite.found["nodes"] == size and unite.found["components"] == size // 100 * 99 // 5 + 1
        assert unite.peak_bytes - unite.start_bytes <= 5 * size + CONSTANT
    for name in ("edges", "nodes", "number-left", "number-right", "roots", "labels"):
        assert runs[-1][name].peak_bytes <= FLAT * runs[0][name].peak_bytes
