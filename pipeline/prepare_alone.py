"""What a stage prepares, built without a corpus: the same tasks, through the same loop, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.contract import StageConfig
from lauter.pipeline.digests import DigestCache
from lauter.pipeline.executors.executor import Executor
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.preparing import RANGE_BYTES, Preparing, prepare_nodes
from lauter.pipeline.lock import build_lock
from lauter.pipeline.manifest import StageSpec, load_target
from lauter.pipeline.run import LazyExecutor, Observer, RunReport, run_nodes
from lauter.pipeline.specs import input_fields
from lauter.pipeline.storage import FileStat, Storage, StorageError, stat
from lauter.pipeline.task import Result, Task

SMALL_BYTES = 16 << 20
"""Below this much input one process is done before Ray has started (6 s): packed snapshots are read at 3 MB/s."""


class FolderUnusable(Exception):
    """Nothing could be begun; the message says why and what to do."""


class TasksFailed(Exception):
    """Something could not be prepared; the message names the tasks."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a stage left."""

    storage: Storage
    """The folder."""
    result: Result
    """Its files, and in `info` the `counts`."""


def prepare_folder(target: str, config: StageConfig, out: str, workers: int | None) -> Prepared:
    """Let a stage (`module:attribute`) prepare into a folder of its own, `out`; for the commands that a stage brings.

    `workers` None: all cores, or one where there is little input. Raises `FolderUnusable` and `TasksFailed`.
    """
    values = config.model_dump(mode="json", exclude_unset=True)
    inputs = tuple(file for name, _ in input_fields(type(config)) for file in _files(values.get(name)))
    stage = StageSpec(load_target(target, "").name, target, values, inputs)

    def make() -> Executor:
        if workers == 1 or (workers is None and sum(file.size for file in inputs) < SMALL_BYTES):
            return InlineExecutor()
        from lauter.pipeline.executors.ray import RayExecutor

        return RayExecutor(workers, None)

    try:
        storage = Storage(out)
        report, result = prepare_alone(stage, storage, make, Observer())
    except (StorageError, OSError) as error:
        raise FolderUnusable(str(error)) from error
    if result is None:
        raise TasksFailed("; ".join(f"{failure.name}: {failure.error}" for failure in report.failures))
    return Prepared(storage, result)


def _files(given: str | list[str] | None) -> list[FileStat]:
    paths = [given] if isinstance(given, str) else given or []
    return [found for path in paths if (found := stat(path))]


def prepare_alone(
    stage: StageSpec, storage: Storage, make: Callable[[], Executor], observer: Observer, range_bytes: int = RANGE_BYTES
) -> tuple[RunReport, Result | None]:
    """Build or resume; returns what was done and the last task's result, None where tasks failed.

    The folder's `state/` holds what a later call with more files need not do again; it may be deleted. Raises
    `StorageError` where the folder can't be used, and what `make` raises.
    """
    if storage.size("state/plan.json") is not None:
        raise StorageError(f"{storage.root} is the run folder of a build; name another one")
    report, results = RunReport(), dict[str, Result]()
    executor = LazyExecutor(make)
    with build_lock(storage):
        storage.clear_staging()
        storage.claim()
        digests = DigestCache(storage)

        def task(name: str, function: str, args: dict[str, Any]) -> Task:
            return Task(name, f"lauter.pipeline.steps.{function}", storage.root, args, storage.token)

        nodes = prepare_nodes(Preparing(stage, 0, task, Listings(storage), digests, range_bytes))
        try:
            run_nodes(storage, nodes, results, executor, observer, report, {})
        finally:
            executor.close()
        digests.save()
    return report, results.get(nodes[-1].name)
