"""Names in the `checkpoints` folder of a run: what is a checkpoint, what is a leftover."""

from __future__ import annotations

import re
from pathlib import Path

LATEST = "LATEST"
META = "meta.json"
FILES = "files.json"
TOKENIZER = "tokenizer"
SAVING, DELETING, REPLACED = ".saving-", ".deleting-", ".replaced-"
"""Prefixes of folders that are on their way in, on their way out, or making room for a new one of the same step."""

_STEP = re.compile(r"step-(\d{10,})")


def step_name(step: int) -> str:
    """Folder name of a step.

    >>> step_name(1500)
    'step-0000001500'
    """
    return f"step-{step:010d}"


def step_of(name: str) -> int | None:
    """The step of a folder name, or None where it is no checkpoint's.

    >>> step_of("step-0000001500"), step_of(".saving-step-0000001500"), step_of("step-15")
    (1500, None, None)
    """
    found = _STEP.fullmatch(name)
    return int(found[1]) if found else None


def step_folders(checkpoints: Path) -> list[Path]:
    """Every step's folder, the oldest step first. Whatever else lies there is not looked at."""
    if not checkpoints.is_dir():
        return []
    found = [(step, path) for path in checkpoints.iterdir() if (step := step_of(path.name)) is not None]
    return [path for _, path in sorted(found) if path.is_dir()]
