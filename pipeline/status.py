"""How far a run is, from its done records and heartbeats; works while it runs, after it was killed, and on S3."""

from __future__ import annotations

import fcntl
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lauter.pipeline.finished import read_corpus
from lauter.pipeline.proof.chain import CORPUS
from lauter.pipeline.storage import CLAIM, Storage, StorageError, stat

PLAN = "state/plan.json"
LOCK = "state/lock"
PROGRESS = "state/progress/"

SILENT_S = 60
"""A task beats every second, on S3 every 15 s, at the end of a stage: after a minute without a beat it is doubtful."""

COUNTS = ("records", "documents", "payload_bytes")


def status(storage: Storage) -> dict[str, Any]:
    """Tasks done by step, counts so far, what runs, and whether the corpus is finished.

    `fault` is what is wrong with a corpus.json that is none, else None. `building` says whether a build is at work,
    None where that cannot be known (S3). `running` are tasks with their counts so far and the seconds since they were
    last heard of; `stopped` are tasks that began and were cut off, whose counts are not added. Raises
    `StorageError` where the folder is no run folder.
    """
    files = storage.list("state")
    if not set(files) - {LOCK, CLAIM}:
        raise StorageError(f"{storage.root}: no run folder here; `lauter build MANIFEST --out DIR` makes one")
    planned = _read(storage, PLAN) or {}
    building = _building(storage)
    done: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for path in files:
        name = path.removeprefix("state/").removesuffix(".json")
        step = name.split("/")[0]
        if path.endswith(".json") and _is_planned(planned, step, name):
            done[step] += 1
            if step == "documents":
                _add(counts, (_read(storage, path) or {}).get("info"))
    begun = stat(f"{storage.root}/{PLAN}")
    running, stopped = [], []
    for path in files:
        name = path.removeprefix(PROGRESS).removesuffix(".json")
        if not path.startswith(PROGRESS) or f"state/{name}.json" in files:
            continue
        file, data = stat(f"{storage.root}/{path}"), _read(storage, path)
        if file is None or data is None or not _is_planned(planned, name.split("/")[0], name):
            continue
        age_s = max(0, round(time.time() - file.mtime_ns / 1e9))
        beat = {"task": name, **{key: data.get(key, 0) for key in COUNTS}, "age_s": age_s}
        # A build writes its plan first: a beat from before it is an earlier build's.
        of_this_build = begun is None or file.mtime_ns >= begun.mtime_ns
        if of_this_build and (building or (building is None and age_s <= SILENT_S)):
            _add(counts, beat)
            running.append(beat)
        else:
            stopped.append(beat)
    finished, fault = _finished(storage)
    return {
        "finished": finished,
        "fault": fault,
        "building": building,
        "steps": {
            step: {"done": min(done[step], _planned(tasks)), "planned": _planned(tasks)}
            for step, tasks in planned.items()
        },
        **{name: counts[name] for name in COUNTS},
        "running": running,
        "stopped": stopped,
    }


def _finished(storage: Storage) -> tuple[bool, str | None]:
    """Whether there is a corpus, and what is wrong with a corpus.json that is none."""
    if storage.size(CORPUS) is None:
        return False, None
    try:
        read_corpus(storage)
    except StorageError as error:
        # A build takes it away at any moment.
        return False, str(error) if storage.size(CORPUS) is not None else None
    return True, None


def _planned(tasks: int | list[str]) -> int:
    return tasks if isinstance(tasks, int) else len(tasks)


def _is_planned(planned: Mapping[str, int | list[str]], step: str, name: str) -> bool:
    """Whether a task is of the current plan; where the plan has only counts, any task of a step it has may be."""
    tasks = planned.get(step, ())
    return isinstance(tasks, int) or name in tasks


def _read(storage: Storage, path: str) -> dict[str, Any] | None:
    """A record, or None where it is gone since it was listed."""
    try:
        data = storage.read_json(path)
    except StorageError:
        return None
    return data if isinstance(data, dict) else None


def _building(storage: Storage) -> bool | None:
    """Whether a build holds the run folder's lock; None on S3, which has none."""
    if not storage.is_local:
        return None
    try:
        with Path(storage.absolute(LOCK)).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _add(counts: Counter[str], info: object) -> None:
    if isinstance(info, dict):
        for name in COUNTS:
            counts[name] += info.get(name, 0)
