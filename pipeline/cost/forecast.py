"""The forecast: what a build takes, from its size, the graph of its plan and measured rates.

Bytes flow: the records of each source go into the step that reads, what each step writes is what a later one reads, and
every step costs so much a task and so much a byte. Everything is proportional beyond that. What cannot be known from a
sample is how many copies a larger corpus holds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lauter.pipeline.cost.lines import given_line, size_of, spent_line, together
from lauter.pipeline.cost.measure import INPUT, SNAPSHOT
from lauter.pipeline.cost.rates import Rates, Spent, StepRates, Work
from lauter.pipeline.cost.sizes import Size, pooled
from lauter.pipeline.graph.packing import share_runs
from lauter.pipeline.proof.tree import shape_of
from lauter.pipeline.report.graph import COUNTING
from lauter.pipeline.report.totals import ranges_for

RAY_START_S = 6.0
"""Wall seconds that a local Ray takes to start (measured on two cores; the same figure decides `SMALL_BYTES`)."""
RAY_TASKS_PER_S = 870.0
"""Tasks that Ray Core schedules a second from one driver (measured with tasks that do nothing)."""
HELD = 4.0
"""Bytes in memory a byte of a slice that a task reads whole: the rows, their order, and the sorted copy."""
TELLING_BYTES = 16 << 20
"""A slice this large in the sample tells by itself how much memory a byte takes."""
SUMMING = ("shares", "layout")
"""Steps whose tasks add up one file after the other, each file in one of them."""
SUMS_BYTES = 512 << 20
"""What such a task holds at most besides the worker: 8 bytes for each cell of each stream, 157 MB for 300 streams of
65,536 cells, and a run of an exchange file twice."""
DRIVER_TASK_BYTES = 12 << 10
"""What the planning process keeps of a task: node, result, list entries."""
LINK_S, LINK_BYTES = 1e-7, 8
"""What it spends on and keeps of every link of the graph (`graph.links`): a name looked up, and an entry in a list."""


@dataclass(frozen=True, slots=True)
class StepForecast:
    """One step. Bytes are as they lie on disk."""

    name: str
    tasks: int
    spent: Spent
    wall_s: float
    """On the cores of the forecast."""
    reads_bytes: float
    writes_bytes: float
    peak_bytes: float
    """Of the worker that does its largest task."""
    measured_bytes: int
    """What the sample's larger run read in this step."""
    opened: float = 0.0
    """Files that its tasks open beyond those of the sample's."""
    links: float = 0.0
    """What its tasks wait for in the plan: each for a joint, and that for all whose files they open."""


@dataclass
class _Flow:
    """Bytes by folder and by source (None: of all), and how many files each folder has."""

    bytes_: dict[str, dict[str | None, float]] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)

    def add(self, folder: str, source: str | None, size: float, files: int) -> None:
        of = self.bytes_.setdefault(folder, {})
        of[source] = of.get(source, 0.0) + size
        self.files[folder] += files

    def total(self, folder: str) -> float:
        return sum(self.bytes_.get(folder, {}).values())

    def of(self, folder: str, source: str | None) -> float:
        held = self.bytes_.get(folder, {})
        return held[source] if source is not None and source in held else self.total(folder)


@dataclass(frozen=True, slots=True)
class Steps:
    """All steps of a build, and the bytes that they leave."""

    found: list[StepForecast]
    left: Mapping[str, float]
    """Folder -> bytes."""
    unmeasured: list[str]
    """Steps of the plan for which there is no rate."""


def steps_of(
    rates: Rates,
    sizes: Sequence[Size],
    counts: Mapping[str, int],
    snapshot_bytes: float,
    shard_tokens: int,
    cores: int,
) -> Steps:
    """Every step in the order in which it runs. `counts`: tasks of the steps that the plan names (`task_counts`)."""
    flow = _Flow()
    for size in sizes:
        flow.add(INPUT, size.name, size.payload_bytes, size.files)
    flow.add(SNAPSHOT, None, snapshot_bytes, 0)
    found = []
    by_step: dict[str, list[StepRates]] = {}
    for item in rates.steps:
        by_step.setdefault(item.step, []).append(item)
    for step, items in by_step.items():
        if not items[0].late and step not in counts:
            continue
        if items[0].shape == "part":
            # Some steps leave sources out, as those that compare documents leave out what was planted.
            has = [size for size in sizes if size.files and any(item.source in size.like for item in items)]
            parts = [_source_step(items, size, rates, flow) for size in has]
            found.append(_joined(step, parts, items, cores))
        else:
            found.append(_whole_step(items[0], _tasks(items[0], counts, shard_tokens, sizes), rates, flow, cores))
    left = {folder: flow.total(folder) for folder in flow.bytes_ if folder not in (INPUT, SNAPSHOT)}
    unmeasured = [
        step for step in (*counts, *COUNTING) if step not in by_step and step.partition("-")[0] not in by_step
    ]
    return Steps(found, left, sorted(unmeasured))


def driver(rates: Rates, steps: Steps) -> Spent:
    """What the planning process itself takes, once it has started. It computes, and waits for nothing but tasks."""
    tasks = sum(step.tasks for step in steps.found)
    own = spent_line(rates.driver_small, rates.driver_large).at(tasks, steps.left.get("ledger", 0.0))
    cpu_s = own.cpu_s + LINK_S * sum(step.links for step in steps.found)
    return Spent(cpu_s=cpu_s, wall_s=cpu_s)


def driver_bytes(rates: Rates, steps: Steps) -> float:
    """What it holds at most."""
    kept = sum(DRIVER_TASK_BYTES * step.tasks + LINK_BYTES * step.links for step in steps.found)
    return rates.worker_bytes + kept


def _tasks(item: StepRates, counts: Mapping[str, int], shard_tokens: int, sizes: Sequence[Size]) -> int:
    if item.step == "shares":
        # By runs of files, of which tasks are counted with a few.
        return len(share_runs(sum(size.files for size in sizes)))
    if not item.late:
        # What is prepared by ranges has steps of its own, which no sample is large enough for: they are its tasks.
        return sum(count for step, count in counts.items() if step == item.step or step.startswith(f"{item.step}-"))
    if item.shape == "shard":
        return max(item.large.tasks, math.ceil(sum(size.tokens for size in sizes) / shard_tokens))
    records = sum(size.records for size in sizes)
    if item.step == "totals":
        return max(item.large.tasks, ranges_for(int(records)))
    # The tree of the ledger is cut by rows; a small sample has the least number of groups.
    return max(item.large.tasks, shape_of(int(records)).groups) if item.step == "merkle" else item.large.tasks


def _source_step(items: Sequence[StepRates], size: Size, rates: Rates, flow: _Flow) -> StepForecast:
    """A step over the files of one source."""
    spoken = [item for item in items if item.source in size.like]
    small, large = together(item.small for item in spoken), together(item.large for item in spoken)
    sources = pooled([source for source in rates.sources if source.name in size.like])
    line = spent_line(small, large)
    read = charged = Spent()
    files = bool(large.tasks) and spoken[0].reads_files
    if files:
        # Every run read whole files: that part goes by their bytes, and is no price of a task.
        fixed = line.at(large.tasks, 0)
        whole = Spent(cpu_s=min(sources.read.cpu_s, fixed.cpu_s), wall_s=min(sources.read.wall_s, fixed.wall_s))
        read = whole.times(size.file_bytes / max(1, sources.file_bytes))
        charged = whole.times(size.files / large.tasks)
    taken = _taken(large, size.name, flow)
    spent = line.at(size.files, taken) - charged + read
    opened, opening = _opening(large, size.files, rates, flow)
    written = _give(small, large, size.name, size.files, taken, flow)
    spent = spent + opening
    return StepForecast(
        name=items[0].step,
        tasks=size.files,
        spent=spent,
        wall_s=spent.wall_s,
        reads_bytes=taken - _taken_of_files(large, size, flow) + (size.file_bytes if files else 0.0),
        writes_bytes=written,
        peak_bytes=max(rates.worker_bytes, large.peak_bytes, small.peak_bytes),
        measured_bytes=size_of(large),
        opened=opened,
        links=0.0 if items[0].late else _links(large, size.files, flow),
    )


def _joined(step: str, parts: Sequence[StepForecast], items: Sequence[StepRates], cores: int) -> StepForecast:
    """The sources of one step as one. Its wall time is that of its tasks on all cores, or of its longest task."""
    tasks = sum(part.tasks for part in parts)
    longest = max((part.spent.wall_s / part.tasks for part in parts if part.tasks), default=0.0)
    spent = sum((part.spent for part in parts), Spent())
    return StepForecast(
        name=step,
        tasks=tasks,
        spent=spent,
        wall_s=max(spent.wall_s / cores, longest, tasks / RAY_TASKS_PER_S if cores > 1 else 0.0),
        reads_bytes=sum(part.reads_bytes for part in parts),
        writes_bytes=sum(part.writes_bytes for part in parts),
        peak_bytes=max((part.peak_bytes for part in parts), default=0.0),
        measured_bytes=sum(size_of(item.large) for item in items),
        opened=sum(part.opened for part in parts),
        links=sum(part.links for part in parts),
    )


def _whole_step(item: StepRates, tasks: int, rates: Rates, flow: _Flow, cores: int) -> StepForecast:
    """A step over everything: by ranges of keys, by shards, or in one task."""
    taken = _taken(item.large, None, flow)
    summing = item.step in SUMMING
    opened, opening = _opening(item.large, 1 if summing else tasks, rates, flow)
    spent = spent_line(item.small, item.large).at(tasks, taken) + opening
    sliced = sum(flow.total(folder) for folder in item.large.slices) if item.large.takes else 0.0
    written = _give(item.small, item.large, None, tasks, taken, flow)
    held = _held(item.large, rates) * (taken + sliced) / max(1, tasks)
    return StepForecast(
        name=item.step,
        tasks=tasks,
        spent=spent,
        wall_s=max(spent.wall_s / min(cores, max(1, tasks)), tasks / RAY_TASKS_PER_S if cores > 1 else 0.0),
        reads_bytes=taken + sliced,
        writes_bytes=written,
        peak_bytes=max(item.large.peak_bytes, rates.worker_bytes + (min(held, SUMS_BYTES) if summing else held)),
        measured_bytes=size_of(item.large),
        opened=opened,
        links=0.0 if item.late else _links(item.large, tasks, flow),
    )


def _taken_of_files(large: Work, size: Size, flow: _Flow) -> float:
    """What of these bytes is content of input files, which lie compressed."""
    return flow.of(INPUT, size.name) if INPUT in large.takes else 0.0


def _taken(large: Work, source: str | None, flow: _Flow) -> float:
    """Bytes that a step reads: of the same folders as in the sample.

    A task over everything that names files one by one names no more of them when there are more: the rest is in lists.
    """
    if source is not None or not large.takes:
        return sum(flow.of(folder, source) for folder in (large.takes or large.slices))
    return sum(
        flow.total(folder) * min(1.0, large.named.get(folder, math.inf) / max(1, flow.files[folder]))
        for folder in large.takes
    )


def _give(small: Work, large: Work, source: str | None, tasks: int, taken: float, flow: _Flow) -> float:
    """Let a step leave its bytes where later ones find them; returns how many."""
    written = 0.0
    for folder in large.gives:
        size = given_line(small, large, folder).at(tasks, taken)
        flow.add(folder, source, size, tasks)
        written += size
    return written


def _opening(large: Work, tasks: int, rates: Rates, flow: _Flow) -> tuple[float, Spent]:
    """Files that the tasks of a step open more than those of the sample did, and the time for it."""
    more = sum(max(0, flow.files[folder] - entries) for folder, entries in large.opens.items())
    seconds = tasks * more * rates.open_s
    return float(tasks * more), Spent(cpu_s=seconds, wall_s=seconds)


def _links(large: Work, tasks: int, flow: _Flow) -> float:
    """Links of a step's tasks in the plan."""
    return float(tasks + sum(flow.files[folder] for folder in large.opens))


def _held(large: Work, rates: Rates) -> float:
    """Bytes of memory a byte of a task's input."""
    per_task = (sum(large.takes.values()) + sum(large.slices.values())) / max(1, large.tasks)
    if per_task < TELLING_BYTES:
        return HELD
    return max(1.0, (large.peak_bytes - rates.worker_bytes) / per_task)
