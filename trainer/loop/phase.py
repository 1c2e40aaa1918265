"""Where a phase of a config is trained, and what it begins from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lauter.trainer.checkpoint.error import NoCheckpoint
from lauter.trainer.checkpoint.meta import read_meta
from lauter.trainer.checkpoint.read import resolve
from lauter.trainer.loop.errors import ConfigError


def phase_folder(base: Path, phase: str) -> Path:
    """The run folder of a phase, inside that of the first training."""
    return base / "phases" / phase


def begins_at(base: Path, names: Sequence[str], phase: str, tokens: int) -> Path:
    """The run folder of the phase before, or of the first training; it must have come to its end.

    `names` are all phases in their order, `tokens` those after which this one begins.

    Raises:
        ConfigError: the run before has no checkpoint, or has not ended.
    """
    index = names.index(phase)
    before = base if index == 0 else phase_folder(base, names[index - 1])
    what = "the first training" if index == 0 else f"phase {names[index - 1]!r}"
    option = "" if index == 0 else f" --phase {names[index - 1]}"
    mend = f"train it first (the same command, {'without --phase' if index == 0 else 'with' + option}), or give --from"
    try:
        checkpoint = resolve(before)
    except NoCheckpoint as error:
        raise ConfigError(f"--phase {phase} begins from {what}, which has no checkpoint in {before}; {mend}") from error
    reached = read_meta(checkpoint)["progress"]["tokens"]
    if reached < tokens:
        raise ConfigError(
            f"--phase {phase} begins after {tokens:,} tokens, and {what} is at {reached:,} ({checkpoint}); {mend}"
        )
    return before
