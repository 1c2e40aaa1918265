"""The schedule of a branch that only cools down: it counts from where the branch began, whenever it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from lauter.trainer.config.sections import RunSection, ScheduleSection
from lauter.trainer.loop.errors import ConfigError


def with_cooldown(section: RunSection, parent: Mapping[str, Any] | None, tokens: int) -> RunSection:
    """The config of a branch that cools down for `tokens` tokens from its parent's (`parent_of`) on.

    Raises:
        ConfigError: the run is no branch, or the warm-up would not be over.
    """
    if parent is None:
        raise ConfigError("--cooldown needs --from CHECKPOINT: a cooldown is a branch, with a run folder of its own")
    seen = parent["progress"]["tokens"]
    changed = {"total_tokens": seen + tokens, "cooldown_tokens": tokens}
    try:
        return _with(section, {**section.schedule.model_dump(), **changed})
    except ValidationError as error:
        warmup = section.schedule.warmup_tokens
        raise ConfigError(
            f"--cooldown {tokens}: the checkpoint has {seen} tokens, and the warm-up ({warmup} tokens) is not over; "
            f"lower schedule.warmup_tokens by {warmup - seen}: schedule.warmup_tokens={seen}"
        ) from error


def kept_schedule(section: RunSection, kept: Mapping[str, Any], given: Sequence[str]) -> RunSection:
    """The config with a schedule that a checkpoint kept, but for those of its keys that the command line gives.

    Raises:
        ConfigError: both do not go together.
    """
    try:
        return _with(section, {**kept, **{key: getattr(section.schedule, key) for key in given}})
    except ValidationError as error:
        told = ", ".join(f"schedule.{key}={getattr(section.schedule, key)}" for key in given)
        raise ConfigError(
            f"{told}: does not go with the schedule of this cooldown, {dict(kept)}: {error.errors()[0]['msg']}; "
            "give the other keys too"
        ) from error


def _with(section: RunSection, schedule: Mapping[str, Any]) -> RunSection:
    return section.model_copy(update={"schedule": ScheduleSection.model_validate(schedule)})
