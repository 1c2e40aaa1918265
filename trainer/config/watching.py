"""What a training config may say of how a run is watched: losses and texts on the way, bad steps, where numbers go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lauter.trainer.config.fields import Natural, Number, Positive, Section


class ValidationSection(Section):
    """Loss on held-out shards, as a whole and by language."""

    every_steps: Positive = 500
    sequences: Positive = 256
    """At most so many windows, from the first."""


class SamplingSection(Section):
    """Continuations written down during the run."""

    every_steps: Positive = 500
    prompts: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    new_tokens: Positive = 48
    temperature: Annotated[Number, Field(ge=0)] = 0.0
    """0 is greedy."""
    top_p: Annotated[Number, Field(gt=0, le=1)] = 1.0


class GuardSection(Section):
    """What to do with a step whose loss or gradient is not finite, or far above what it was."""

    spike_factor: Annotated[Number, Field(gt=1)] | None = None
    """A step is a spike where loss or gradient norm is more than so many times the median of `window` steps."""
    window: Annotated[int, Field(ge=8)] = 128
    skips: Natural = 3
    """So many steps in a row are left out (no update); the next goes back to the last checkpoint."""
    rollbacks: Natural = 1
    """So many times; then the run stops. After a rollback the samples of the bad stretch are passed over."""


class MetricsSection(Section):
    """Where numbers go besides metrics.jsonl."""

    every_steps: Positive = 1
    tensorboard: bool = False
    wandb_project: str | None = None
    peak_flops: Annotated[Number, Field(gt=0)] | None = None
    """Of one device, FLOP/s, for MFU. Default: known GPUs by name; on a CPU a matrix product is timed at the start."""
    profile_step: Positive | None = None
    """A trace of this step is written to profile/ (chrome://tracing)."""
