"""How a process enters a run: at the run's own checkpoint, at another run's, or at first values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.huggingface.tokenizer import same_vocabulary
from lauter.trainer.loop import state
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.guard import Guard
from lauter.trainer.loop.parts import Parts
from lauter.trainer.loop.resume import identity, parent_of, require_fitting, require_parent, require_same_run
from lauter.trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Entered:
    """Where a process came in."""

    progress: Progress
    parent: dict[str, Any] | None
    """What a branch began from (`parent_of`)."""
    saved: bool
    """Whether the run's own folder holds this state."""
    again: Callable[[], Progress]
    """Fills model and moments once more as the run began, for a guard that goes back before the first checkpoint."""


def enter(
    parts: Parts, checkpoints: Checkpoints, guard: Guard, start: Path | None, tell: Callable[[str], None]
) -> Entered:
    """Fill model, moments and guard. Called by all ranks.

    Raises:
        ConfigError: the checkpoint is another run's, does not fit, or the data end too early.
        CheckpointError: a checkpoint can't be read.
    """
    now = identity(parts.section, parts.shape, parts.corpus.tokenizer.digest, parts.samples.fingerprint)

    def begin() -> tuple[Progress, dict[str, Any] | None]:
        state.begin(parts.model, parts.optimizer, parts.section.seed)
        return (Progress(), None) if start is None else _branch(parts, checkpoints, start, now, tell)

    latest = checkpoints.latest()
    if latest is None:
        progress, parent = begin()
    else:
        require_parent(latest, start)
        require_same_run(latest, now, parts.samples.order)
        state.load(checkpoints, latest, parts.model, parts.optimizer)
        guard.load(latest.meta["guard"])
        progress, parent = Progress(**latest.meta["progress"]), latest.meta["parent"]
        tell(f"goes on from {latest.path}: step {progress.step}, {progress.tokens:,} tokens")
    _require_data(parts, progress)
    return Entered(progress, parent, saved=latest is not None, again=lambda: begin()[0])


def _branch(
    parts: Parts, checkpoints: Checkpoints, start: Path, now: dict[str, Any], tell: Callable[[str], None]
) -> tuple[Progress, dict[str, Any]]:
    checkpoint = checkpoints.open(start)
    _require_vocabulary(parts, checkpoint)
    for difference in require_fitting(checkpoint, now):
        tell(f"other than in {checkpoint.path}: {difference}")
    progress = Progress(**checkpoint.meta["progress"])
    missing = state.load_what_is_there(checkpoints, checkpoint, parts.model, parts.optimizer)
    moments = f"its moments {', '.join(missing)} start at 0, as it has none" if missing else "moments included"
    tell(f"begins from {checkpoint.path}, {moments}: step {progress.step}, {progress.tokens:,} tokens")
    if checkpoint.meta["data"] is not None and checkpoint.meta["data"]["fingerprint"] != now["data"]:
        tell("its data are others: these are read from their first sample on; the schedule's tokens count on")
        progress = Progress(progress.step, 0, progress.tokens)
    return progress, parent_of(checkpoint, start)


def _require_vocabulary(parts: Parts, checkpoint: Checkpoint) -> None:
    """Another tokenizer will do where every id of text means the same: an import knows its vocabulary only."""
    tokenizer = parts.corpus.tokenizer
    if checkpoint.meta["tokenizer"].get("digest") == tokenizer.digest:
        return
    wrong = same_vocabulary(checkpoint, tokenizer.files["tokenizer.json"], bos=tokenizer.bos, eos=tokenizer.eos)
    if wrong:
        raise ConfigError(
            f"--from {checkpoint.path}: its vocabulary is another than the corpus's:\n  " + "\n  ".join(wrong)
        )


def _require_data(parts: Parts, progress: Progress) -> None:
    """Stages that end before the schedule does, by more than a step, would cut the cooldown off."""
    total, length = parts.samples.total, parts.section.data.sequence_length
    if total is None:
        return
    batch = parts.section.batch
    largest = max(batch.sequences, *(step.sequences for step in batch.ramp), 0)
    needed = parts.section.schedule.total_tokens - progress.tokens
    left = (total - progress.samples) * length
    if left + largest * length <= needed:
        raise ConfigError(
            f"data.stages hold {left:,} more tokens, schedule.total_tokens asks for {needed:,}; leave `tokens` out of "
            "the last stage, or shorten the schedule"
        )
