"""One build in this process, metered: what each step took, read and left, and what the planning itself took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lauter.pipeline import exchange
from lauter.pipeline.cost import meter
from lauter.pipeline.cost.rates import Shape, Spent, StepRates, Work
from lauter.pipeline.executors.executor import Outcome
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.run import LazyExecutor, Observer, build
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task

INPUT = "input"
"""The folder, so to speak, of the records that a task reads from an input file."""
SNAPSHOT = "snapshot"
"""That of the files that a stage is prepared from."""
LISTINGS = "state/listings/"
OPENINGS = 200
"""Times that opening an exchange file is tried; 0.05 ms each on a local disk."""


class SampleFailed(Exception):
    """The sample could not be built; the message holds the tasks' own errors."""


@dataclass
class Metered:
    """A task that ended."""

    task: Task
    spent: Spent
    peak_bytes: int
    outputs: tuple[Output, ...]
    info: Mapping[str, Any]


class MeteredExecutor(InlineExecutor):
    """Runs tasks in this process and notes what each took."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Metered] = []

    def wait(self) -> list[Outcome]:
        """Run the oldest task."""
        meter.forget_peak()
        before = meter.now()
        (outcome,) = super().wait()
        spent = meter.since(before)
        if outcome.result is not None:
            result = outcome.result
            self.ended.append(Metered(outcome.task, spent, meter.peak_bytes(), result.outputs, result.info))
        return [outcome]


@dataclass
class Measured:
    """What a build took."""

    whole: Spent
    tasks: list[Metered]
    steps: dict[tuple[str, str | None], Work]
    """(step, source where the step has a task a file) -> its work, in the order in which steps first ran."""
    shapes: dict[str, Shape]
    reads_files: set[str]
    late: set[str]
    corpus: dict[str, Any]
    open_s: float = 0.0
    driver: Work = field(default_factory=Work)
    """What is left of the whole when the tasks are taken away."""


def measured_build(manifest: Manifest, root: str, taken: Mapping[str, int]) -> Measured:
    """Build into an empty local folder, inline. `taken`: source -> bytes of the records that its reader gives.

    Raises `SampleFailed` where a task fails.
    """
    executor = MeteredExecutor()
    before = meter.now()
    plan = Plan(manifest, Storage(root))
    first = {node.name for node in plan.first_half()}
    report = build(plan, LazyExecutor(lambda: executor), Observer())
    whole = meter.since(before)
    if report.failures:
        raise SampleFailed("; ".join(f"{failure.name}: {failure.error.strip()}" for failure in report.failures))
    corpus = plan.storage.read_json("corpus.json")
    late = {item.task.step for item in executor.ended if item.task.name not in first}
    found = Measured(whole, executor.ended, {}, {}, set(), late, corpus)
    sources = {part.name: part.source for part in plan.parts}
    grouped: dict[tuple[str, str | None], list[Metered]] = {}
    for item in executor.ended:
        step, name = item.task.name.split("/", 1)
        grouped.setdefault((step, sources.get(name)), []).append(item)
        found.shapes.setdefault(step, shape_of(item, is_part=name in sources))
        if "file" in item.task.args:
            found.reads_files.add(step)
    for (step, source), items in grouped.items():
        found.steps[step, source] = _work(plan.storage, items, taken)
    planning = whole
    for item in executor.ended:
        planning = planning - item.spent
    # Both are differences of sums; what one process computes takes at least as long as it computes.
    planning = Spent(cpu_s=planning.cpu_s, wall_s=max(planning.wall_s, planning.cpu_s))
    ledger = sum(output["size"] for output in corpus["files"]["ledger"])
    found.driver = Work(tasks=len(executor.ended), spent=planning, takes={"ledger": ledger})
    found.open_s = _open_s(plan.storage, executor.ended)
    return found


def shape_of(item: Metered, *, is_part: bool) -> Shape:
    """How many tasks such a step has: for each part, for the run, for each range, or for each so many tokens."""
    if is_part:
        return "part"
    if any(output.path.startswith("tokens/") and output.rows for output in item.outputs):
        return "shard"
    return "range" if item.task.name.rpartition("/")[2].isdigit() else "one"


def step_rates(small: Measured, large: Measured) -> list[StepRates]:
    """The steps of two runs, one over a few records and one over more, in the order in which they ran."""
    return [
        StepRates(
            step=step,
            source=source,
            shape=large.shapes[step],
            reads_files=step in large.reads_files,
            late=step in large.late,
            small=small.steps.get((step, source), Work()),
            large=work,
        )
        for (step, source), work in large.steps.items()
    ]


def stage_seconds(run: Measured) -> dict[str, float]:
    """Stage -> seconds, over all tasks that pass records through stages."""
    found: dict[str, float] = {}
    for item in run.tasks:
        for name, stage in item.info.get("stages", {}).items():
            found[name] = found.get(name, 0.0) + stage["seconds"]
    return found


def folder_of(path: str) -> str:
    """The folder of a run folder's file, as flows are counted.

    >>> [folder_of(path) for path in ("state/keys/web/a.arrow", "tokens/main/00000.parquet")]
    ['state/keys', 'tokens']
    """
    names = path.split("/")
    return "/".join(names[:2]) if names[0] == "state" else names[0]


def _work(storage: Storage, items: list[Metered], taken: Mapping[str, int]) -> Work:
    direct: dict[str, int] = {}
    listed: dict[str, int] = {}
    takes: dict[str, int] = {}
    slices: dict[str, int] = {}
    opens: dict[str, int] = {}
    gives: dict[str, int] = {}
    spent, peak = Spent(), 0
    counted: set[str] = set()
    for item in items:
        args = {key: value for key, value in item.task.args.items() if key != "prepared"}
        for output in _outputs(args):
            direct[output.path] = output.size
        for path in _listings(args):
            entries = [Output.from_json(data) for data in storage.read_json(path)]
            listed.update((output.path, output.size) for output in entries)
            if entries:
                opens[folder_of(entries[0].path)] = len(entries)
        if "file" in args and args["source"] not in counted:
            counted.add(args["source"])
            takes[INPUT] = takes.get(INPUT, 0) + taken[args["source"]]
        if item.task.step.startswith("prepare"):
            given = args.get("files") or args["stage"]["inputs"]
            takes[SNAPSHOT] = takes.get(SNAPSHOT, 0) + sum(file["size"] for file in given)
        for output in item.outputs:
            gives[folder_of(output.path)] = gives.get(folder_of(output.path), 0) + output.size
        spent, peak = spent + item.spent, max(peak, item.peak_bytes)
    named = dict(Counter(folder_of(path) for path in direct))
    for path, size in direct.items():
        takes[folder_of(path)] = takes.get(folder_of(path), 0) + size
    for path, size in listed.items():
        slices[folder_of(path)] = slices.get(folder_of(path), 0) + size
    return Work(
        tasks=len(items),
        spent=spent,
        takes=takes,
        named=named,
        slices=slices,
        opens=opens,
        gives=gives,
        peak_bytes=peak,
    )


def _outputs(value: object) -> Iterator[Output]:
    """The outputs that a task's arguments name one by one."""
    if isinstance(value, Mapping):
        if {"path", "size", "sha256", "rows", "row_groups"} <= set(value):
            yield Output.from_json(dict(value))
        else:
            for item in value.values():
                yield from _outputs(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _outputs(item)


def _listings(value: object) -> Iterator[str]:
    """The lists of outputs that they name."""
    if isinstance(value, str):
        if value.startswith(LISTINGS):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _listings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _listings(item)


def _open_s(storage: Storage, tasks: list[Metered]) -> float:
    """Seconds to open an exchange file and read its index, the mean of many."""
    path = next(
        (output.path for item in tasks for output in item.outputs if output.path.startswith("state/identity/")), None
    )
    if path is None:
        return 0.0
    started = time.perf_counter()
    for _ in range(OPENINGS):
        with storage.open(path) as source:
            exchange.read_index(storage, path, source)
    return (time.perf_counter() - started) / OPENINGS
