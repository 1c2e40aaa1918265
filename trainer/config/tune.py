"""What a config of `lauter tune` may say: a training that begins with weights that are there, and counts in epochs.

Its lengths are epochs and shares of the whole, as nobody knows the tokens of a set of dialogues by heart. Once the data
are open they become the tokens of a `RunSection`, which is what is trained.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lauter.trainer.config.fields import Fraction, Number, Tokens
from lauter.trainer.config.fields import Section as Base
from lauter.trainer.config.sections import ModelSection, Objective, RunSection, ScheduleSection, Training
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape


class TuneScheduleSection(Base):
    """Warm-up, then down to the end; shares are of all steps, rounded up to whole ones."""

    epochs: Annotated[Number, Field(gt=0)] | None = None
    """How often the data are read. Steps that are not full at the end are left out."""
    total_tokens: Tokens | None = None
    """In place of `epochs`: padding counts, as in `lauter train`."""
    warmup_fraction: Fraction = 0.03
    """Over which the rate rises linearly from 0."""
    cooldown_fraction: Fraction | None = None
    """Over which it falls at the end. Default: all after the warm-up."""
    shape: Literal["1-sqrt", "linear"] = "linear"
    final_fraction: Fraction = 0.0
    moments_fraction: Fraction = 1.0
    """Over which AdEMAMix's alpha and beta3 rise, where `optimizer.warmup_steps` does not say so in steps. Apertus: all
    (arXiv 2509.14233, section 4.2)."""

    @model_validator(mode="after")
    def _one_length(self) -> TuneScheduleSection:
        if (self.epochs is None) == (self.total_tokens is None):
            raise ValueError("give `epochs` or `total_tokens`: one of the two")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> TuneScheduleSection:
        if self.warmup_fraction + (self.cooldown_fraction or 0) > 1:
            raise ValueError("warmup_fraction and cooldown_fraction are together more than 1: lower one of them")
        return self


class TuneSection(Training):
    """The whole config."""

    model: ModelSection | None = None
    """Default: the model that it begins from, as it is."""
    schedule: TuneScheduleSection

    @model_validator(mode="after")
    def _no_ramp(self) -> TuneSection:
        if self.batch.ramp:
            raise ValueError("batch.ramp: `lauter tune` counts in steps of one size; leave it out")
        return self

    def run(self, objective: Objective, model: ModelSection, epoch: int) -> RunSection:
        """The run that this is, over data with so many samples an epoch.

        Raises:
            ValueError: an epoch has no samples enough for a step.
        """
        step = self.batch.sequences * self.data.sequence_length
        schedule = self.schedule
        if schedule.epochs is not None:
            # Rounded first: 0.29 epochs of 100 samples are 29 of them, and not 28.999999999999996.
            steps = math.floor(round(schedule.epochs * epoch, 6) / self.batch.sequences)
            if steps < 1:
                raise ValueError(
                    f"schedule.epochs: {schedule.epochs:g} epoch(s) of {epoch:,} sample(s) are less than one step of "
                    f"batch.sequences {self.batch.sequences}; lower that, or read the data more often"
                )
            total = steps * step
        else:
            assert schedule.total_tokens is not None  # One of the two is there.
            total = schedule.total_tokens
            steps = -(-total // step)
        warmup = min(_part(schedule.warmup_fraction, steps) * step, total)
        share = schedule.cooldown_fraction
        cooldown = total - warmup if share is None else min(_part(share, steps) * step, total - warmup)
        optimizer = self.optimizer
        if "warmup_steps" not in optimizer.model_fields_set:
            optimizer = optimizer.model_copy(update={"warmup_steps": _part(schedule.moments_fraction, steps)})
        return RunSection(
            **{key: getattr(self, key) for key in Training.model_fields if key != "optimizer"},
            optimizer=optimizer,
            model=model,
            objective=objective,
            schedule=ScheduleSection(
                total_tokens=total,
                warmup_tokens=warmup,
                cooldown_tokens=cooldown,
                shape=schedule.shape,
                final_fraction=schedule.final_fraction,
            ),
        )


def _part(share: float, steps: int) -> int:
    """Share of the steps, rounded up; 7 % of 100 are 7, though the product of the floats is 7.000000000000001."""
    return math.ceil(round(share * steps, 6))


def model_of(shape: ModelShape) -> ModelSection:
    """The section of a model that is there, every number named.

    Raises:
        ValueError: it has a norm or rotary scaling that no section can name.
    """
    preset = PRESETS["nano"]
    if (shape.norm_eps, shape.rope_scaling) != (preset.norm_eps, preset.rope_scaling):
        raise ValueError(
            f"the model has norm_eps {shape.norm_eps:g} and {shape.rope_scaling}, where a config can only have "
            f"{preset.norm_eps:g} and {preset.rope_scaling}; name `model` in the config if the latter is meant"
        )
    numbers = {key: getattr(shape, key) for key in ModelSection.model_fields if key != "preset"}
    return ModelSection(preset="nano", **numbers)
