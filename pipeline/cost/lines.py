"""The arithmetic of two runs: what a task costs by itself and what a byte costs, and sums of works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lauter.pipeline.cost.rates import Spent, Work

TELLING = 0.2
"""Share of the larger run's bytes by which it must exceed the smaller one's, for their difference to say anything."""

WAITING_BYTES = 1 << 20
"""Bytes that the larger run must have read, for waiting to be told from the noise of the disk."""


class Line(NamedTuple):
    """y = per_task * tasks + per_byte * bytes."""

    per_task: float
    per_byte: float

    def at(self, tasks: float, size: float) -> float:
        """The value for so many tasks over so many bytes."""
        return self.per_task * tasks + self.per_byte * size


class SpentLine(NamedTuple):
    """The same of processor seconds and of the clock."""

    cpu: Line
    wall: Line

    def at(self, tasks: float, size: float) -> Spent:
        """What so many tasks over so many bytes take, the wall time as if one after another, one core each."""
        cpu_s = self.cpu.at(tasks, size)
        return Spent(cpu_s=cpu_s, wall_s=max(self.wall.at(tasks, size), cpu_s))


def line(small: tuple[int, int, float], large: tuple[int, int, float]) -> Line:
    """The line through two runs of (tasks, bytes, y), no term of it below 0.

    Where the larger run has hardly more bytes than tasks explain, or the smaller had no task, y goes by bytes alone;
    without bytes by tasks alone.

    >>> line((4, 0, 2.0), (4, 100, 12.0))
    Line(per_task=0.5, per_byte=0.1)
    """
    (tasks, size, y), (more_tasks, more_size, more_y) = small, large
    if not more_size:
        return Line(more_y / more_tasks if more_tasks else 0.0, 0.0)
    if not tasks:
        return Line(0.0, more_y / more_size)
    times = more_tasks / tasks
    above = more_size - times * size
    if above < TELLING * more_size:
        return Line(0.0, more_y / more_size)
    per_byte = max(0.0, (more_y - times * y) / above)
    return Line(max(0.0, y - per_byte * size) / tasks, per_byte)


def size_of(work: Work) -> int:
    """The bytes that the work of a step goes by: those that its tasks name, else those of which each reads a slice."""
    return sum(work.takes.values()) or sum(work.slices.values())


def spent_line(small: Work, large: Work) -> SpentLine:
    """Seconds by task and by byte."""
    points = [(work.tasks, size_of(work), work.spent) for work in (small, large)]
    cpu = line(*((tasks, size, spent.cpu_s) for tasks, size, spent in points))
    wall = line(*((tasks, size, spent.wall_s) for tasks, size, spent in points))
    if points[1][1] < WAITING_BYTES:
        # What it waited for was its files being synced: that is a price of tasks, and must not grow with bytes.
        tasks, size, spent = points[0] if points[0][0] else points[1]
        wall = Line(max(0.0, spent.wall_s - cpu.per_byte * size) / max(1, tasks), cpu.per_byte)
    return SpentLine(cpu, wall)


def given_line(small: Work, large: Work, folder: str) -> Line:
    """Bytes written into a folder, by task and by byte read."""
    return line(*((work.tasks, size_of(work), float(work.gives.get(folder, 0))) for work in (small, large)))


def together(works: Iterable[Work]) -> Work:
    """The work of several sources as one. Lists are the same for all, so they count once."""
    found = list(works)
    return Work(
        tasks=sum(work.tasks for work in found),
        spent=sum((work.spent for work in found), Spent()),
        takes=_joined([work.takes for work in found]),
        named=_joined([work.named for work in found]),
        slices=_largest([work.slices for work in found]),
        opens=_largest([work.opens for work in found]),
        gives=_joined([work.gives for work in found]),
        peak_bytes=max((work.peak_bytes for work in found), default=0),
    )


def _joined(counts: list[Mapping[str, int]]) -> dict[str, int]:
    return {key: sum(one.get(key, 0) for one in counts) for count in counts for key in count}


def _largest(counts: list[Mapping[str, int]]) -> dict[str, int]:
    return {key: max(one.get(key, 0) for one in counts) for count in counts for key in count}
