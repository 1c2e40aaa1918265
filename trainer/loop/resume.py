"""May this config go on from that checkpoint? Refused, with keys and both values, where it would be another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lauter.trainer.checkpoint.read import Checkpoint, CheckpointError, open_checkpoint
from lauter.trainer.config.sections import RunSection, ScheduleSection
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.model.shape import ModelShape

TENSORS = ("layers", "hidden", "feed_forward", "heads", "kv_heads", "head_dim", "vocabulary")
"""Of a shape, what a branch can't change: the sizes of the tensors. Positions and rotary angles it may."""


def identity(section: RunSection, shape: ModelShape, tokenizer: str, fingerprint: str) -> dict[str, Any]:
    """Key -> value of everything that decides what is computed, and that a run keeps for its life."""
    return {
        **{f"model.{key}": value for key, value in asdict(shape).items()},
        "seed": section.seed,
        "precision": section.precision,
        "optimizer.name": section.optimizer.name,
        "tokenizer": tokenizer,
        "data": fingerprint,
    }


def identity_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a checkpoint; keys that it does not know are left out (an import has neither seed nor data)."""
    config, data = meta["config"] or {}, meta["data"] or {}
    found = {
        **{f"model.{key}": value for key, value in meta["shape"].items()},
        "seed": config.get("seed"),
        "precision": config.get("precision"),
        "optimizer.name": config.get("optimizer", {}).get("name"),
        "tokenizer": meta["tokenizer"].get("digest"),
        "data": data.get("fingerprint"),
    }
    return {key: value for key, value in found.items() if value is not None}


def require_same_run(checkpoint: Checkpoint, now: Mapping[str, Any], order: Mapping[str, Any]) -> None:
    """A resumed run must be the same run. What it may change: totals, batch, learning rate, checkpoints, metrics.

    Raises:
        ConfigError: naming every key that differs, with both values.
    """
    before = identity_of(checkpoint.meta)
    wrong = _differences({key: value for key, value in before.items() if key != "data"}, now)
    if before.get("data") != now["data"]:
        # The fingerprint says that the order differs; what it is made of says where.
        was, is_now = _flat("data", checkpoint.meta["data"]["order"]), _flat("data", order)
        wrong += _differences({**dict.fromkeys(is_now), **was}, is_now)
    if wrong:
        raise ConfigError(
            f"{checkpoint.path} was trained with another config:\n  "
            + "\n  ".join(wrong)
            + "\nput these back to go on, or give another --out (with --from, to begin at this checkpoint)"
        )


def require_fitting(checkpoint: Checkpoint, now: Mapping[str, Any]) -> list[str]:
    """A branch may change much, but not the tensors' sizes.

    Returns:
        What else differs, in words.

    Raises:
        ConfigError: naming every key that differs and may not, with both values.
    """
    before = identity_of(checkpoint.meta)
    firm = {f"model.{key}" for key in TENSORS}
    wrong = _differences({key: value for key, value in before.items() if key in firm}, now)
    if wrong:
        raise ConfigError(f"--from {checkpoint.path} does not fit this config:\n  " + "\n  ".join(wrong))
    return _differences({key: value for key, value in before.items() if key not in firm}, now)


def parent_of(checkpoint: Checkpoint, start: Path) -> dict[str, Any]:
    """What a branch's checkpoints say about where it began: the data of all ancestors stay known."""
    return {
        "from": str(start.absolute()),
        "checkpoint": checkpoint.path.name,
        "progress": checkpoint.meta["progress"],
        "data": checkpoint.meta["data"],
        "parent": checkpoint.meta["parent"],
    }


def require_parent(checkpoint: Checkpoint, start: Path | None) -> None:
    """`--from` of a run that goes on must be the one it began with.

    Raises:
        ConfigError: the run folder holds a run that began elsewhere.
    """
    began = (checkpoint.meta["parent"] or {}).get("from")
    if start is not None and began != str(start.absolute()):
        raise ConfigError(
            f"{checkpoint.path.parent.parent} holds a run already, which began "
            + (f"from {began}" if began else "at its first step")
            + f"; give another --out to begin from {start}"
        )


def with_cooldown(section: RunSection, out: Path, start: Path | None, tokens: int) -> RunSection:
    """The config of a branch that only cools down: for `tokens` tokens from where it begins, whenever it is resumed.

    Raises:
        ConfigError: there is no `--from`, or the warm-up would not be over.
        CheckpointError: `start` is no checkpoint.
    """
    if start is None:
        raise ConfigError("--cooldown needs --from CHECKPOINT: a cooldown is a branch, with a run folder of its own")
    try:
        parent = open_checkpoint(out, depth="sizes").meta["parent"]
    except CheckpointError:
        parent = None
    progress = (parent or open_checkpoint(start, depth="sizes").meta)["progress"]
    changed = {"total_tokens": progress["tokens"] + tokens, "cooldown_tokens": tokens}
    try:
        schedule = ScheduleSection.model_validate({**section.schedule.model_dump(), **changed})
    except ValidationError as error:
        raise ConfigError(
            f"--cooldown {tokens}: the checkpoint has {progress['tokens']} tokens, and the warm-up "
            f"({section.schedule.warmup_tokens} tokens) is not over"
        ) from error
    return section.model_copy(update={"schedule": schedule})


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {before[key]} there, {now.get(key)} now" for key in before if before[key] != now.get(key)]


def _flat(prefix: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {key: one for name, inner in value.items() for key, one in _flat(f"{prefix}.{name}", inner).items()}
