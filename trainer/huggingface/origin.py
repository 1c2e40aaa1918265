"""`lauter.json`: where an exported model comes from, for programs; the model card says the same for people.

An import keeps it as what the folder claims about itself, so that a model that went through a Hugging Face folder can
still be traced to the proof of its data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from lauter.trainer.checkpoint.read import Checkpoint

ORIGIN = "lauter.json"

_LOCAL = frozenset({"checkpoint", "folder", "from", "out", "path", "start", "uri"})
"""Keys whose values may be paths of the machine that trained: only their last part is published."""

_TAKEN = ("versions", "progress", "optimizer_steps", "config", "data", "tokenizer", "parent")


def origin(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint says about where the model comes from, without paths of a machine."""
    meta = checkpoint.meta
    found: dict[str, Any] = _published({key: meta[key] for key in _TAKEN if meta.get(key) is not None})
    # A checkpoint lies in RUN/checkpoints/STEP, beside the run's metrics.
    rate = goldfish_rate(checkpoint.path.parent.parent / "metrics.jsonl", meta["progress"]["step"])
    return found if rate is None else {**found, "goldfish_rate": rate}


def goldfish_rate(metrics: Path, last_step: int) -> float | None:
    """The share of labels that Goldfish took out, over the steps in `metrics` up to `last_step`; None if unknown."""
    if not metrics.is_file():
        return None
    dropped = counted = 0.0
    with metrics.open("rb") as lines:
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # the last line of a run that was killed
            rate, targets = line.get("goldfish_rate"), line.get("targets")
            if line.get("step", 0) > last_step or not isinstance(rate, float) or not targets or rate >= 1:
                continue
            counted += targets / (1 - rate)
            dropped += targets / (1 - rate) * rate
    return dropped / counted if counted else None


def _published(value: Any, key: str = "") -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, Mapping):
        return {name: _published(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_published(item, key) for item in value]
    if isinstance(value, str) and key in _LOCAL and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
