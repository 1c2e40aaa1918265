from __future__ import annotations

import os

from lauter.trainer.loop.throughput import PEAKS
from lauter.trainer.planner.hardware import HARDWARE, this_machine


def test_peaks_are_those_that_a_run_takes_for_mfu() -> None:
    assert {name: machine.peak_flops for name, machine in HARDWARE.items()} == {
        "h100": PEAKS["H100"],
        "gh200": PEAKS["GH200"],
        "a100": PEAKS["A100"],
    }
    assert all(name == machine.name for name, machine in HARDWARE.items())


def test_ranks_share_this_machine() -> None:
    one, four = this_machine(1, 8e11), this_machine(4, 8e11)
    assert one.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert four.memory_bytes == one.memory_bytes // 4
    assert four.peak_flops == 2e11
    assert four.watts * 4 == one.watts
