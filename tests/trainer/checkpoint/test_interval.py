from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.checkpoint.interval import daly, interval, lost, young


def test_what_is_known_of_apertus() -> None:
    # 40 s for a save of the 70B, and a failure every few hours.
    found = interval(40, 4 * 3600)
    assert found.seconds == pytest.approx(1050, abs=5)
    assert found.lost == pytest.approx(0.0745, abs=1e-3)
    assert young(60, 4 * 3600) == pytest.approx(1314.5, abs=0.1)


@given(st.floats(0.1, 100), st.floats(1e4, 1e7))
def test_no_other_interval_loses_less(pause: float, mtbf: float) -> None:
    best = young(pause, mtbf)
    assert all(lost(best, pause, mtbf) <= lost(best * other, pause, mtbf) for other in (0.5, 0.9, 1.1, 2))
    # Daly's further terms change little where a save is short beside the time between failures.
    assert daly(pause, mtbf) == pytest.approx(best, rel=2 * (pause / mtbf) ** 0.5 + 1e-9)


def test_failures_that_come_faster_than_saves() -> None:
    assert daly(9, 4) == 4
    assert interval(9, 4).lost == 1.0


def test_no_save_begins_before_the_last_one_is_whole() -> None:
    found = interval(0.5, 3600, writing=300)
    assert found.seconds == 300
    assert found.lost == pytest.approx(0.5 / 300 + 450 / 3600)
