from __future__ import annotations

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.planner.communication import Messages
from lauter.trainer.planner.flop import flop
from lauter.trainer.planner.hardware import HARDWARE
from lauter.trainer.planner.speed import at_mfu, days, derived, device_hours, energy_kwh, measured

SHAPE, MACHINE = PRESETS["apertus-70b"], HARDWARE["gh200"]
FLOP = flop(SHAPE, 4096, "none")
TOKENS = 15 * 10**12


def test_apertus_device_hours_at_its_measured_rate() -> None:
    found = measured(723, MACHINE, FLOP, 4096)
    assert 0.9 * 5.8e6 < device_hours(TOKENS, found, 4096) < 1.1 * 6e6
    assert device_hours(TOKENS, found, 4096) == pytest.approx(TOKENS / 723 / 3600)
    assert days(TOKENS, found) == pytest.approx(58.6, abs=0.1)
    assert found.mfu == pytest.approx(0.317, abs=0.001)
    assert energy_kwh(1000, MACHINE) == 560


def test_a_stated_mfu_and_a_measured_rate_are_two_ways_to_say_one_thing() -> None:
    stated = at_mfu(0.4, MACHINE, FLOP, 16)
    assert measured(stated.tokens_per_second / 16, MACHINE, FLOP, 16).mfu == pytest.approx(0.4)


def rate(section: ParallelSection, messages: dict[str, Messages], micro_batches: int = 8) -> float:
    found = derived(SHAPE, section, MACHINE, FLOP, messages, ranks=64, step_tokens=1 << 20, micro_batches=micro_batches)
    assert found.mfu <= MACHINE.efficiency + 1e-9
    return found.tokens_per_second


def test_what_slows_a_step() -> None:
    alone = rate(ParallelSection(), {})
    assert alone == pytest.approx(64 * MACHINE.peak_flops * MACHINE.efficiency / FLOP.model)
    step = (1 << 20) / alone
    bandwidth = 1e9
    waited = Messages(round(step * bandwidth), bandwidth, waits=True)
    beside = Messages(round(2 * step * bandwidth), bandwidth, waits=False)
    assert rate(ParallelSection(), {"tensor": waited}) == pytest.approx(alone / 2)
    assert rate(ParallelSection(), {"shard": beside}) == pytest.approx(alone / 2)
    assert rate(ParallelSection(), {"shard": waited.__class__(waited.bytes // 2, bandwidth, waits=False)}) == alone
    # The bubble, and the stage with the output layer.
    few, many = (rate(ParallelSection(pipeline=8), {}, count) for count in (8, 800))
    assert few / many == pytest.approx((8 / 15) / (800 / 807))
    assert 0.85 * alone < many < alone
