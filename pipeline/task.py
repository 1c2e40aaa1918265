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

FORMAT = 1
"""Version of the engine's own file layouts; raising it makes every task stale."""


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
        info = record["info"]
    except (StorageError, KeyError, TypeError):
        return None
    if any(storage.size(output.path) != output.size for output in outputs):
        return None
    return Result(outputs, info)


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


def forget(storage: Storage, task: Task) -> None:
    """Remove the record before outputs are touched, so that an interrupted redo can't look finished."""
    storage.delete(task.record_path)
