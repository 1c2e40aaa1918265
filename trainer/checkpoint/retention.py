"""Which checkpoints are kept: the newest n whole ones and the milestones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lauter.trainer.checkpoint.durable import delete_folder
from lauter.trainer.checkpoint.layout import step_folders, step_of
from lauter.trainer.checkpoint.verify import verify
from lauter.trainer.config.sections import CheckpointSection


def superfluous(whole: Sequence[int], broken: Sequence[int], section: CheckpointSection) -> list[int]:
    """Steps to delete, the oldest first.

    A broken checkpoint does not count among the newest `keep`, and goes as soon as it is older than all of them.

    >>> superfluous([10, 20, 30, 40], [15], CheckpointSection(keep=2, keep_every_steps=20))
    [10, 15]
    """
    kept = set(sorted(whole)[-section.keep :])
    oldest = min(kept, default=0)
    every = section.keep_every_steps
    return [
        step for step in sorted({*whole, *broken}) if step < oldest and not (every is not None and step % every == 0)
    ]


def delete_superfluous(checkpoints: Path, newest: Path, section: CheckpointSection) -> list[str]:
    """Delete what is not kept; `newest` must be published and verified. Returns the names. Raises `OSError`.

    Checkpoints with a later step than `newest` are left alone: they are of another branch of the run.
    """
    step = step_of(newest.name) or 0
    folders = {found: path for path in step_folders(checkpoints) if (found := step_of(path.name) or 0) <= step}
    whole = [found for found, path in folders.items() if not verify(path, "sizes")]
    doomed = superfluous(whole, [found for found in folders if found not in whole], section)
    for found in doomed:
        delete_folder(folders[found])
    return [folders[found].name for found in doomed]
