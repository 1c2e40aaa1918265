"""A task, its key, and its done record: the only place where completion is remembered.

A task's key hashes everything that its output depends on: the step, the stages' versions and parameters, and the
identities of its inputs. The done record is written last, by atomic rename; without it the outputs are garbage and
are made again. It lies under the task's name, not its key, so that one output never has two records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xxhash

from lauter.pipeline.storage import Output, Storage, StorageError

FORMAT = 4
"""Version of the engine's own file layouts; raising it makes every task stale."""

REUSABLE = "made_with"
"""Key of a result's info under which a step says what its outputs were made with, where a later run of the same task
may take some of them over."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work: small, JSON-able, the same for every executor."""

    name: str
    """Unique within a run folder, e.g. `documents/web/00003`."""
    run: str
    """Import path of the step's function, `module:function`, that takes the task and returns a `Result`."""
    root: str
    """The run folder."""
    args: Mapping[str, Any]
    """Everything that the output depends on."""
    token: str = ""
    """The build that the task belongs to (`Storage.claim`); no part of its key."""
    cpus: float = 1.0
    """Cores that an executor keeps free for it; no part of its key."""
    gpus: float = 0.0

    @property
    def key(self) -> str:
        """128-bit hash of the step and its arguments, hex."""
        content = json.dumps([FORMAT, self.run, self.args], sort_keys=True, separators=(",", ":"))
        return xxhash.xxh3_128_hexdigest(content.encode())

    @property
    def step(self) -> str:
        """The first part of the name."""
        return self.name.split("/", 1)[0]

    @property
    def record_path(self) -> str:
        """Where the done record lies."""
        return f"state/{self.name}.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a task made."""

    outputs: tuple[Output, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    """Small numbers and names: counts, digests of inputs, seconds by stage."""
    masked: Mapping[str, Output] = field(default_factory=dict)
    """Path -> what lies there now, of outputs from which a takedown has removed records since. Keys go by `outputs`:
    nothing that was decided with a record changes because it is gone."""

    def published(self) -> tuple[Output, ...]:
        """The outputs as they lie in the run folder."""
        return tuple(self.masked.get(output.path, output) for output in self.outputs)

    def lying(self, suffix: str) -> Output:
        """The one output whose path starts with a folder, as it lies in the run folder."""
        output = self.output(suffix)
        return self.masked.get(output.path, output)

    def output(self, suffix: str) -> Output:
        """The one output whose path starts with a folder."""
        found = [output for output in self.outputs if output.path.startswith(suffix + "/")]
        if len(found) != 1:
            raise KeyError(f"{len(found)} outputs in {suffix}/")
        return found[0]


def finished(storage: Storage, task: Task) -> Result | None:
    """The result of an earlier run of this very task, if its record and all its outputs are there."""
    if storage.size(task.record_path) is None:
        return None
    try:
        record = storage.read_json(task.record_path)
        if record["key"] != task.key:
            return None
        outputs = tuple(Output.from_json(data) for data in record["outputs"])
        masked = {data["path"]: Output.from_json(data) for data in record.get("masked", {}).get("outputs", ())}
        result = Result(outputs, record["info"], masked)
    except (StorageError, KeyError, TypeError, AttributeError):
        return None
    if any(storage.size(output.path) != output.size for output in result.published()):
        return None
    return result


def record(storage: Storage, task: Task, result: Result) -> None:
    """Write the done record: the last act of a task."""
    storage.write_json(
        task.record_path,
        {
            "task": task.name,
            "key": task.key,
            "outputs": [output.to_json() for output in result.outputs],
            "info": dict(result.info),
        },
    )
    if REUSABLE in result.info:
        storage.delete(_aside_path(task))


def forget(storage: Storage, task: Task) -> None:
    """Remove the record before outputs are touched, so that an interrupted redo can't look finished.

    A record with `REUSABLE` in its info is set aside until the next one is written.
    """
    if storage.size(task.record_path) is None:
        return
    try:
        before = storage.read_json(task.record_path)
        if REUSABLE in before["info"]:
            storage.write_json(_aside_path(task), before)
    except (StorageError, KeyError, TypeError):
        # Half a record is none: everything is made again.
        storage.delete(_aside_path(task))
    storage.delete(task.record_path)


def set_aside(storage: Storage, task: Task) -> dict[str, Any] | None:
    """The record of the last run of the task that ended, while it is being done again; its outputs may be newer."""
    if storage.size(_aside_path(task)) is None:
        return None
    try:
        before: dict[str, Any] = storage.read_json(_aside_path(task))
    except StorageError:
        return None
    return before


def _aside_path(task: Task) -> str:
    return f"state/earlier/{task.name}.json"
