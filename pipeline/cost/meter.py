"""What this process and its children have spent, and the most memory that they held. Linux: /proc says it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from lauter.pipeline.cost.rates import Spent

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def children() -> list[int]:
    """Ids of the children of this process that live (proc(5), /proc/PID/task/TID/children)."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found += [int(pid) for pid in task.read_text().split()]
        except OSError:
            # A thread that has ended.
            continue
    return found


class Reading(NamedTuple):
    """A moment: seconds of the processor, of the clock, and those in which a process of ours waited for a core."""

    cpu_s: float
    clock_s: float
    queued_s: float


def now() -> Reading:
    """This moment, of this process, of children that have ended, and of those that live."""
    ended, alive = os.times(), children()
    cpu_s = time.process_time() + ended.children_user + ended.children_system + sum(_cpu_s(pid) for pid in alive)
    return Reading(cpu_s, time.perf_counter(), sum(_queued_s(pid) for pid in ("self", *map(str, alive))))


def since(before: Reading) -> Spent:
    """What was spent since a moment. The wall time is that of a machine with a core to spare.

    What others on the machine took is left out: the time in which a process could run and had no core. Parent and
    child work in turns, so both waits count, but never so that less than the processor's time is left.
    """
    after = now()
    cpu_s, clock_s = after.cpu_s - before.cpu_s, after.clock_s - before.clock_s
    undisturbed_s = clock_s - max(0.0, after.queued_s - before.queued_s)
    return Spent(cpu_s=cpu_s, wall_s=min(clock_s, max(undisturbed_s, cpu_s)))


def _queued_s(pid: str) -> float:
    """Seconds that a process's main thread waited in a run queue: the second field of schedstat, nanoseconds.

    0 where the kernel does not count it (Documentation/scheduler/sched-stats.rst).
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process: fields 14 and 15 of /proc/PID/stat; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def forget_peak() -> None:
    """Let the high-water mark of memory begin anew (proc(5): 5 into clear_refs); where that is forbidden it stays."""
    for pid in ("self", *children()):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def peak_bytes() -> int:
    """The high-water marks (VmHWM) of this process and its children, added: what the worker needs at most."""
    return sum(_status_bytes(str(pid), "VmHWM") for pid in ("self", *children()))


def _status_bytes(pid: str, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field + ":")), 0)


def since_start() -> Spent:
    """What this process and its children spent since it was started, the wall time as in `since`."""
    started_s = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / TICKS_PER_S
    clock_s = float(Path("/proc/uptime").read_text().split()[0]) - started_s
    spent = now()
    return Spent(cpu_s=spent.cpu_s, wall_s=max(clock_s - spent.queued_s, spent.cpu_s))
