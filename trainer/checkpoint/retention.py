"""Which checkpoints are kept: the newest n whole ones and the milestones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from lauter.trainer.checkpoint.durable import delete_folder
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.layout import step_folders, step_of
from lauter.trainer.checkpoint.meta import read_meta, sound
from lauter.trainer.checkpoint.verify import verify
from lauter.trainer.config.sections import CheckpointSection


def superfluous(steps: Iterable[int], is_whole: Callable[[int], bool], section: CheckpointSection) -> list[int]:
    """Steps to delete, the oldest first.

    A broken checkpoint does not count among the newest `keep`, and goes as soon as it is older than all of them; nor
    does one from a bad stretch (`sound`), to which no rollback goes. Only as many are asked as it takes to find those:
    milestones grow with the run.

    >>> superfluous([10, 15, 20, 30, 40], lambda step: step != 30, CheckpointSection(keep=2, keep_every_steps=20))
    [10, 15]
    """
    newest_first = sorted(steps, reverse=True)
    kept = list(islice(filter(is_whole, newest_first), section.keep))
    oldest = min(kept, default=0)
    every = section.keep_every_steps
    return [step for step in reversed(newest_first) if step < oldest and not (every is not None and step % every == 0)]


def delete_superfluous(checkpoints: Path, newest: Path, section: CheckpointSection) -> list[str]:
    """Delete what is not kept; `newest` must be published and verified. Returns the names. Raises `OSError`.

    Checkpoints with a later step than `newest` are left alone: they are of another branch of the run.
    """
    step = step_of(newest.name) or 0
    folders = {found: path for path in step_folders(checkpoints) if (found := step_of(path.name) or 0) <= step}
    doomed = superfluous(folders, lambda found: _is_good(folders[found]), section)
    for found in doomed:
        delete_folder(folders[found])
    return [folders[found].name for found in doomed]


def _is_good(folder: Path) -> bool:
    if verify(folder, "sizes"):
        return False
    try:
        return sound(read_meta(folder))
    except CheckpointError:
        return False
