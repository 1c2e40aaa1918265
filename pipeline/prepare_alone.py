"""What a stage prepares, built without a corpus: the same tasks, through the same loop, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.executors.executor import Executor
from lauter.pipeline.listings import Listings
from lauter.pipeline.lock import build_lock
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.preparing import RANGE_BYTES, Preparing, prepare_nodes
from lauter.pipeline.run import LazyExecutor, Observer, RunReport, run_nodes
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.task import Result, Task


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
