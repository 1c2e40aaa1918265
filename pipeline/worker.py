"""A worker process: runs tasks, keeps stages open between them, and writes each done record last."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.stopped import NothingOpens, said_by
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task, forget, record


def execute(task: Task) -> Result:
    """Run one task to its done record. Raises whatever the step raises; outputs without a record count for nothing."""
    # Parallelism is processes: a library's own threads would only fight for the same cores.
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pa.set_cpu_count(1)
    storage = Storage(task.root, task.token)
    forget(storage, task)
    module, _, function = task.run.partition(":")
    result: Result = getattr(importlib.import_module(module), function)(task, storage)
    record(storage, task, result)
    return result


def opened(spec: Mapping[str, Any], context: StageContext) -> Any:  # noqa: ANN401 - a stage of any kind
    """The stage of a task's arguments, opened; kept for the next task of this process.

    Raises `NothingOpens` for a model or a file that it can't have.
    """
    return _opened(
        json.dumps(spec, sort_keys=True), context.seed, context.artefacts or "", context.quarantine or "", os.getpid()
    )


@lru_cache(maxsize=16)
def _opened(spec: str, seed: int, artefacts: str, quarantine: str, _process: int) -> Any:  # noqa: ANN401
    stage = made(json.loads(spec), StageContext(seed, artefacts or None, quarantine or None))
    if hasattr(stage, "open"):
        with said_by(f"stage {stage.name} cannot be opened", NothingOpens):
            stage.open()
    return stage


def made(spec: Mapping[str, Any], context: StageContext) -> Any:  # noqa: ANN401
    """The stage of a task's arguments, constructed and not opened."""
    return StageSpec(spec["name"], spec["target"], spec["config"], (), spec["python_path"]).make(context)


def prepared_stages(task: Task, storage: Storage, quarantine: str) -> list[Any]:
    """The map stages of a task's `stages`, opened, each with what its `prepare` made (`prepared`)."""
    found = []
    for spec in task.args["stages"]:
        outputs = task.args["prepared"].get(spec["name"], [])
        folder = artefact_folder(storage, [Output.from_json(item) for item in outputs])
        # What was prepared is a part of what a stage is: the next build of this process may have prepared it anew.
        found.append(opened({**spec, "prepared": outputs}, StageContext(task.args["seed"], folder, quarantine)))
    return found


def listing(storage: Storage, path: str) -> list[Output]:
    """The outputs that a task's `listing` argument names, in part order."""
    return [Output.from_json(data) for data in storage.read_json(path)]


@lru_cache(maxsize=4)
def _fetched(root: str, outputs: tuple[Output, ...]) -> str:
    storage = Storage(root)
    folder = tempfile.mkdtemp(prefix="lauter-artefacts-")
    for output in outputs:
        (Path(folder) / Path(output.path).name).write_bytes(storage.read(output.path))
    return folder


def artefact_folder(storage: Storage, outputs: Sequence[Output]) -> str | None:
    """A local folder that holds a prepared stage's files: the run folder's own, or a copy where that is on S3."""
    if not outputs:
        return None
    if storage.is_local:
        return str(Path(storage.absolute(outputs[0].path)).parent)
    return _fetched(storage.root, tuple(outputs))
