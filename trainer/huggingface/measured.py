"""What a run measured up to a checkpoint: it stands in the run folder's metrics.jsonl, not in the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lauter.trainer.checkpoint.read import Checkpoint

METRICS = "metrics.jsonl"


def measured(checkpoint: Checkpoint) -> dict[str, Any]:
    """The last held-out loss at or before the checkpoint's step, and the epochs read at that step.

    `held_out` is as in metrics.jsonl, with its `step`; `epochs` is stream -> times read. What is not known is left
    out, as where the checkpoint was copied away from its run.
    """
    found: dict[str, Any] = {}
    folder = checkpoint.path.parent
    path = folder.parent / METRICS
    if folder.name != "checkpoints" or not path.is_file():
        return found
    step: int = checkpoint.meta["progress"]["step"]
    for line in _lines(path):
        at = line.get("step", 0)
        if at > step:
            continue
        held_out = line.get("held_out")
        # A loss that is no number is written as null: of a model that diverged, or without any target.
        if held_out and held_out["loss"] is not None:
            languages = {name: loss for name, loss in held_out["languages"].items() if loss is not None}
            found["held_out"] = {"step": at, **held_out, "languages": languages}
        if at == step and line.get("epochs"):
            found["epochs"] = line["epochs"]
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                # A run that was killed leaves half a line; the run mends that when it goes on.
                continue
            if isinstance(line, dict):
                yield line
