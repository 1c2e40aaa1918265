"""Time and energy of a run: derived from the hardware, from a stated MFU, or from a measured rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.planner.bubble import bubble_fraction
from lauter.trainer.planner.communication import Messages
from lauter.trainer.planner.flop import Flop
from lauter.trainer.planner.hardware import Hardware
from lauter.trainer.planner.holding import holding


@dataclass(frozen=True, slots=True)
class Speed:
    """Of all ranks together."""

    tokens_per_second: float
    mfu: float
    """Model FLOP/s over the devices' peak."""
    basis: str
    """Where it comes from: `derived`, `mfu` or `measured`."""


def derived(
    shape: ModelShape,
    section: ParallelSection,
    hardware: Hardware,
    flop: Flop,
    messages: Mapping[str, Messages],
    *,
    ranks: int,
    step_tokens: int,
    micro_batches: int,
) -> Speed:
    """By a roofline with one guessed number, checked on no GPU: good for ranking layouts, not for promises.

    A step takes what its operations take on the busiest rank, at the hardware's efficiency, with messages that are
    waited for and the bubble; or as long as the other messages take, if that is longer.
    """
    operations = flop.computed * step_tokens / ranks / (hardware.peak_flops * hardware.efficiency)
    waited = sum(one.seconds for one in messages.values() if one.waits)
    busy = operations * _unevenness(shape, section) + waited
    busy /= 1 - bubble_fraction(section, micro_batches)
    beside = sum(one.seconds for one in messages.values() if not one.waits)
    seconds = max(busy, beside)
    rate = step_tokens / seconds
    return Speed(rate, rate * flop.model / (ranks * hardware.peak_flops), "derived")


def at_mfu(mfu: float, hardware: Hardware, flop: Flop, ranks: int) -> Speed:
    """At a stated share of the peak."""
    return Speed(mfu * ranks * hardware.peak_flops / flop.model, mfu, "mfu")


def measured(tokens_per_second_per_rank: float, hardware: Hardware, flop: Flop, ranks: int) -> Speed:
    """At a rate that was measured, in tokens a second and rank."""
    return Speed(
        tokens_per_second_per_rank * ranks, tokens_per_second_per_rank * flop.model / hardware.peak_flops, "measured"
    )


def days(tokens: int, speed: Speed) -> float:
    """Of a run without any stop."""
    return tokens / speed.tokens_per_second / 86_400


def device_hours(tokens: int, speed: Speed, ranks: int) -> float:
    """GPU-hours, or rank-hours on a CPU."""
    return days(tokens, speed) * 24 * ranks


def energy_kwh(hours: float, hardware: Hardware) -> float:
    """What the devices draw.

    Hosts, network, cooling and runs that fail come on top: Apertus states about 5 GWh (arXiv 2509.14233, section 6),
    1.5 times its GPU-hours at 560 W.
    """
    return hours * hardware.watts / 1000


def _unevenness(shape: ModelShape, section: ParallelSection) -> float:
    """How much longer the busiest stage takes than the mean one: the output layer stands on one of them."""
    if section.pipeline == 1:
        return 1.0
    held = [holding(shape, section, place) for place in range(section.pipeline)]
    # The input embedding multiplies nothing.
    weights = [one.parameters - one.embedding for one in held]
    return max(weights) * len(weights) / sum(weights)
