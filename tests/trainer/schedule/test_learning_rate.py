from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lauter.trainer.config.sections import ScheduleSection
from lauter.trainer.schedule.learning_rate import learning_rate

WINDOW = 4096
DECAY, TOTAL = 403_905_806, 3_662_109_375
APERTUS = ScheduleSection(
    total_tokens=TOTAL * WINDOW, warmup_tokens=4_096_000 * WINDOW, cooldown_tokens=DECAY * WINDOW, final_fraction=0.1
)
# Samples, and the rate of the 8B and of the 70B, from Apertus's launch scripts.
VECTORS = [
    (0, 0.0, 0.0),
    (2_048_000, 5.5e-5, 5e-6),
    (4_096_000, 1.1e-4, 1e-5),
    (TOTAL - DECAY, 1.1e-4, 1e-5),
    (TOTAL - DECAY + DECAY * 0.01, 1.001e-4, 9.1e-6),
    (TOTAL - DECAY + DECAY * 0.25, 6.05e-5, 5.5e-6),
    (TOTAL - DECAY + DECAY * 0.5, 3.99964e-5, 3.63604e-6),
    (TOTAL, 1.1e-5, 1e-6),
]


@pytest.mark.parametrize(("samples", "small", "large"), VECTORS)
def test_apertus_values(samples: float, small: float, large: float) -> None:
    tokens = round(samples * WINDOW)
    assert learning_rate(APERTUS, 1.1e-4, tokens) == pytest.approx(small, rel=1e-6)
    assert learning_rate(APERTUS, 1e-5, tokens) == pytest.approx(large, rel=1e-6)


def test_linear_cooldown() -> None:
    section = ScheduleSection(total_tokens=100, cooldown_tokens=40, shape="linear", final_fraction=0.0)
    assert [learning_rate(section, 1.0, tokens) for tokens in (0, 60, 70, 80, 100, 200)] == [1, 1, 0.75, 0.5, 0, 0]


def test_without_warmup_or_cooldown_the_rate_is_the_peak() -> None:
    section = ScheduleSection(total_tokens=100)
    assert {learning_rate(section, 0.3, tokens) for tokens in (0, 1, 99, 100, 101)} == {0.3}


def test_a_branch_cools_down_from_where_it_leaves() -> None:
    run = ScheduleSection(total_tokens=1000, warmup_tokens=100, cooldown_tokens=200)
    branch = run.model_copy(update={"total_tokens": 600})
    assert all(learning_rate(run, 1.0, tokens) == learning_rate(branch, 1.0, tokens) for tokens in range(401))
    assert all(learning_rate(branch, 1.0, 400 + i) == learning_rate(run, 1.0, 800 + i) for i in range(201))


@st.composite
def sections(draw: st.DrawFn) -> ScheduleSection:
    warmup, stable, cooldown = (draw(st.integers(0, 10**13)) for _ in range(3))
    assume(warmup + stable + cooldown)
    return ScheduleSection(
        total_tokens=warmup + stable + cooldown,
        warmup_tokens=warmup,
        cooldown_tokens=cooldown,
        shape=draw(st.sampled_from(["1-sqrt", "linear"])),
        final_fraction=draw(st.floats(0, 1)),
    )


@given(sections(), st.lists(st.integers(0, 4 * 10**13), min_size=2, max_size=20))
def test_rises_stays_and_falls_within_bounds(section: ScheduleSection, places: list[int]) -> None:
    begin = section.total_tokens - section.cooldown_tokens
    for early, late in itertools.pairwise(sorted(places)):
        first, second = (learning_rate(section, 1.0, tokens) for tokens in (early, late))
        assert 0 <= first <= 1
        if late <= begin:
            assert first <= second
        if early >= section.warmup_tokens:
            assert first >= second >= section.final_fraction * (1 - 1e-12)
        if section.warmup_tokens <= early and late <= begin:
            assert first == second == 1.0
        if early >= section.total_tokens and section.cooldown_tokens:
            assert first == second == pytest.approx(section.final_fraction, abs=1e-15)


@given(sections())
def test_parts_meet(section: ScheduleSection) -> None:
    end_of_warmup, begin = section.warmup_tokens, section.total_tokens - section.cooldown_tokens
    if end_of_warmup:
        assert learning_rate(section, 1.0, end_of_warmup) == 1.0
        assert learning_rate(section, 1.0, end_of_warmup - 1) == pytest.approx(1.0 - 1 / end_of_warmup, rel=1e-12)
        assert learning_rate(section, 1.0, 0) == 0.0
    if section.cooldown_tokens:
        step = (1 - section.final_fraction) * section.cooldown_tokens**-0.5
        assert learning_rate(section, 1.0, begin) == 1.0
        assert learning_rate(section, 1.0, begin + 1) >= 1.0 - step - 1e-12
