"""How fast a device could compute, as the measure of how fast a run does (MFU: PaLM, arXiv 2204.02311, appendix B)."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from lauter.trainer.config.watching import MetricsSection
from lauter.trainer.parallel.ranks import Ranks

PEAKS: Mapping[str, float] = {
    "A100": 312e12,
    "GH200": 989e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "B200": 2250e12,
    "MI250X": 191.5e12,
    "MI300X": 1307e12,
}
"""FLOP/s of dense bf16 products, from the makers' data sheets; the first name found in the device's counts."""

SIDE = 1024
"""Of the square matrices that are multiplied on a CPU: 2 GFLOP, some 10 ms to 50 ms a core, out of the caches."""


def peak_flops(section: MetricsSection, ranks: Ranks, dtype: torch.dtype) -> float | None:
    """FLOP/s of all ranks' devices together; none for a GPU that is not known and not configured."""
    own = section.peak_flops
    if own is None and ranks.device.type == "cuda":
        name = torch.cuda.get_device_name(ranks.device)
        own = next((peak for known, peak in PEAKS.items() if known in name), None)
    elif own is None:
        own = measured(dtype)
    (total,) = ranks.sum([own or 0.0])
    return total or None


def measured(dtype: torch.dtype) -> float:
    """FLOP/s of the best of five matrix products on this CPU."""
    a = torch.ones(SIDE, SIDE, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE**3 / best
