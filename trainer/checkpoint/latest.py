"""Which checkpoint a run goes on from: the one that LATEST names, or the newest whole one."""

from __future__ import annotations

from pathlib import Path

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.layout import LATEST, step_folders, step_of


def named_by_latest(checkpoints: Path) -> Path:
    """The folder that LATEST names. Raises `CheckpointError` where it is absent, empty or names nothing."""
    path = checkpoints / LATEST
    try:
        name = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise CheckpointError(f"{checkpoints} has no {LATEST}") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not name:
        raise CheckpointError(f"{path} is empty")
    if step_of(name) is None:
        raise CheckpointError(f"{path} holds {name[:80]!r}, which is no checkpoint's name (step-0000000123)")
    if not (checkpoints / name).is_dir():
        raise CheckpointError(f"{path} names {name}, which is not there")
    return checkpoints / name


def candidates(checkpoints: Path) -> tuple[list[Path], str | None]:
    """Checkpoints in the order in which to try them, and what is wrong with LATEST, if anything.

    LATEST's first, then older ones, the newest first; last those with a later step: they are from a run that was
    taken back to an earlier step, or one that was killed just before LATEST was written.
    """
    folders = list(reversed(step_folders(checkpoints)))
    if not folders and not (checkpoints / LATEST).exists():
        return [], None
    try:
        first = named_by_latest(checkpoints)
    except CheckpointError as error:
        return folders, str(error)
    older = [path for path in folders if path != first and (step_of(path.name) or 0) < (step_of(first.name) or 0)]
    later = [path for path in folders if path != first and path not in older]
    return [first, *older, *later], None
