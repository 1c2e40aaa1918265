"""`lauter build` and `lauter plan`: a checked manifest, a run folder, an executor, and what to show."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lauter.pipeline.corpus import CORPUS
from lauter.pipeline.executors.executor import Executor
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.lock import build_lock
from lauter.pipeline.manifest import Manifest
from lauter.pipeline.planted import planned_probes
from lauter.pipeline.progress import BuildProgress
from lauter.pipeline.run import LazyExecutor, RunReport
from lauter.pipeline.run import build as run_plan
from lauter.pipeline.status import PLAN
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import resume
from lauter.pipeline.task import Result, finished


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Where to build and with what."""

    out: str
    executor: str
    workers: int | None
    """None: as many as the machine, or the cluster at `address`, has cores."""
    address: str | None


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What came of it; `corpus` is empty where tasks failed."""

    report: RunReport
    corpus: dict[str, Any]


SMALL_BYTES = 64 << 20
"""Below this much input a build runs in its own process: Ray takes 6 s to start, and 64 MB of WARC about 90 s."""


def default_executor(manifest: Manifest, workers: int | None, address: str | None) -> str:
    """Where a build runs that does not say: on Ray, unless it is small or has one worker."""
    size = sum(file.size for source in manifest.sources for file in source.files)
    small = workers == 1 or (workers is None and size < SMALL_BYTES)
    return "inline" if small and address is None else "ray"


def build_corpus(manifest: Manifest, options: BuildOptions, console: Console) -> BuildOutcome:
    """Build or resume; the manifest was loaded with the run folder, so that it reads nothing from it.

    Raises `StorageError` where the run folder can't be used, and `ConnectionError` where no Ray answers at the address.
    """
    storage = Storage(options.out)

    def make() -> Executor:
        if options.executor == "inline":
            return InlineExecutor()
        from lauter.pipeline.executors.ray import RayExecutor

        return RayExecutor(options.workers, options.address)

    for source in manifest.sources:
        if not source.files:
            console.print(f"[yellow]source {source.name}: no file found; the build goes on without it[/]")
    with build_lock(storage):
        storage.clear_staging()
        resume(storage)
        plan = Plan(manifest, storage)
        steps: dict[str, list[str]] = {}
        last = [f"{step}/{part.name}" for step in ("ledger", "leaves", "tally") for part in plan.parts]
        for name in [*(node.name for node in plan.first_half()), *last]:
            steps.setdefault(name.split("/", 1)[0], []).append(name)
        storage.write_json(PLAN, steps)
        sizes = {f"documents/{part.name}": part.file.size for part in plan.parts}
        with BuildProgress(console, storage, sizes) as progress:
            report = run_plan(plan, LazyExecutor(make), progress)
    return BuildOutcome(report, {} if report.failures else storage.read_json(CORPUS))


def describe_plan(manifest: Manifest, out: str | None) -> dict[str, Any]:
    """Sources, stages and tasks; with a run folder also how many tasks are done. Writes nothing.

    `config` holds the parameters that the manifest gives.
    """
    data: dict[str, Any] = {
        "name": manifest.name,
        "seed": manifest.seed,
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "files": len(source.files),
                "bytes": sum(file.size for file in source.files),
            }
            for source in manifest.sources
        ],
        "stages": [
            {
                "name": spec.name,
                "version": spec.load().version,
                "config": dict(spec.config),
                **({"sources": list(spec.sources)} if spec.sources else {}),
            }
            for spec in (*manifest.stages, manifest.barrier, manifest.cutter)
            if spec is not None
        ],
        "probes": planned_probes(manifest),
        "tokenizer": dict(manifest.encoder.config),
        "sharding": manifest.sharding.model_dump(mode="json"),
        "streams": None if manifest.streams is None else manifest.streams.model_dump(mode="json"),
    }
    if out is None:
        return data
    plan = Plan(manifest, ReadOnlyStorage(out))
    results: dict[str, Result] = {}
    steps: dict[str, dict[str, int]] = {}
    nodes = plan.first_half()
    for node in nodes:
        steps.setdefault(node.name.split("/", 1)[0], {"tasks": 0, "done": 0})["tasks"] += 1
    links = Links(nodes, results)
    ready = deque(links.ready)
    while ready:
        node = ready.popleft()
        before = finished(plan.storage, node.build(results))
        if before is not None:
            results[node.name] = before
            steps[node.name.split("/", 1)[0]]["done"] += 1
            ready.extend(links.done(node.name))
    data["steps"] = steps
    data["finished"] = plan.storage.size(CORPUS) is not None
    return data


class ReadOnlyStorage(Storage):
    """A run folder that a plan may look at; what would be published is only named."""

    def write(self, path: str, data: bytes) -> Any:  # noqa: ANN401 - nothing is published, nothing is returned
        """Publish nothing."""


def print_plan(console: Console, data: dict[str, Any]) -> None:
    """The plan as tables."""
    table = Table(title=f"{data['name']}: sources", title_justify="left")
    for header in ("source", "kind", "files", "MB"):
        table.add_column(header, justify="right" if header in ("files", "MB") else "left")
    for source in data["sources"]:
        table.add_row(source["name"], source["kind"], f"{source['files']:,}", f"{source['bytes'] / 1e6:,.1f}")
    console.print(table)
    stages = Table(title="stages, in order", title_justify="left")
    for header in ("stage", "version", "parameters"):
        stages.add_column(header, overflow="fold")
    for stage in data["stages"]:
        parameters = ", ".join(f"{name}={value}" for name, value in stage["config"].items())
        name = stage["name"] + (f" ({', '.join(stage['sources'])} only)" if "sources" in stage else "")
        stages.add_row(name, str(stage["version"]), escape(parameters))
    console.print(stages)
    for probes in data["probes"]:
        print_probes(console, probes)
    if "steps" in data:
        width = max(map(len, data["steps"]), default=0)
        for name, counts in data["steps"].items():
            console.print(f"  {name:<{width}} {counts['done']:>6} of {counts['tasks']:>6} tasks done", highlight=False)


def print_probes(console: Console, probes: dict[str, Any]) -> None:
    """What one file plants, as a table (`planted.planned_probes`)."""
    name = probes["file"].rsplit("/", 1)[-1]
    table = Table(title=f"probes that are planted: source {probes['source']}, {escape(name)}", title_justify="left")
    for header in ("bucket", "kind", "probes", "repetitions", "records"):
        table.add_column(header, justify="left" if header in ("bucket", "kind") else "right")
    for bucket in probes["buckets"]:
        numbers = (f"{bucket[key]:,}" for key in ("probes", "repetitions", "records"))
        table.add_row(escape(bucket["name"]), escape(bucket["kind"]), *numbers)
    console.print(table)
