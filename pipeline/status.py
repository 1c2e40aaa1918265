"""How far a run is, from its done records and heartbeats; works while it runs, after it was killed, and on S3."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lauter.pipeline.corpus import CORPUS
from lauter.pipeline.storage import Storage, StorageError

PLAN = "state/plan.json"


def status(storage: Storage) -> dict[str, Any]:
    """Tasks done by step, counts so far, and whether the corpus is finished.

    Raises `StorageError` where the folder is no run folder.
    """
    files = storage.list("state")
    if not files:
        raise StorageError(f"{storage.root} is no run folder; `lauter build MANIFEST --out {storage.root}` makes one")
    planned = storage.read_json(PLAN) if PLAN in files else {}
    done: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for path in files:
        step = path.split("/")[1]
        if not path.endswith(".json") or step not in planned:
            continue
        done[step] += 1
        if step == "documents":
            _add(counts, storage.read_json(path)["info"])
    running = []
    for path in files:
        if path.startswith("state/progress/"):
            name = path.removeprefix("state/progress/").removesuffix(".json")
            if f"state/{name}.json" not in files:
                beat = storage.read_json(path)
                _add(counts, beat)
                running.append({"task": name, "records": beat["records"], "documents": beat["documents"]})
    return {
        "finished": storage.size(CORPUS) is not None,
        "steps": {step: {"done": done[step], "planned": count} for step, count in planned.items()},
        "records": counts["records"],
        "documents": counts["documents"],
        "payload_bytes": counts["payload_bytes"],
        "running": running,
    }


def _add(counts: Counter[str], info: dict[str, Any]) -> None:
    for name in ("records", "documents", "payload_bytes"):
        counts[name] += info[name]
