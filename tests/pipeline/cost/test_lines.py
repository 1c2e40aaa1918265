from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.cost.lines import given_line, line, size_of, spent_line, together
from lauter.pipeline.cost.rates import Spent, Work


@given(
    per_task=st.floats(0, 10),
    per_byte=st.floats(0, 1e-3),
    tasks=st.integers(1, 50),
    times=st.integers(1, 4),
    size=st.integers(0, 1000),
    more=st.integers(1, 10_000),
)
def test_a_line_through_two_points_of_a_line_is_that_line(
    per_task: float, per_byte: float, tasks: int, times: int, size: int, more: int
) -> None:
    def point(n: int, x: int) -> tuple[int, int, float]:
        return n, x, per_task * n + per_byte * x

    larger = times * (size + 1) * 2 + more
    found = line(point(tasks, size), point(times * tasks, larger))
    assert found.at(7 * tasks, 3 * larger) == pytest.approx(7 * tasks * per_task + 3 * larger * per_byte, abs=1e-3)


def test_no_term_is_negative_and_noise_does_not_grow() -> None:
    falling = line((16, 100, 5.0), (16, 1000, 4.0))
    assert falling.per_byte == 0 and falling.per_task == pytest.approx(5 / 16)
    assert line((1, 100, 9.0), (1, 101, 3.0)) == (0.0, 3 / 101), "points as close as these say nothing of a slope"
    assert line((2, 0, 1.0), (2, 0, 3.0)) == (1.5, 0.0), "without bytes it goes by tasks"
    assert line((0, 0, 0.0), (4, 50, 5.0)) == (0.0, 0.1), "a step that the small run did not have goes by bytes"


def test_wall_time_is_never_below_the_processor_s() -> None:
    small = Work(tasks=1, takes={"x": 0}, spent=Spent(cpu_s=1, wall_s=5))
    large = Work(tasks=1, takes={"x": 10**7}, spent=Spent(cpu_s=2, wall_s=5))
    assert spent_line(small, large).at(1, 10**10) == Spent(cpu_s=1001, wall_s=1001)


def test_waiting_grows_with_bytes_only_where_enough_were_read() -> None:
    def runs(size: int) -> Spent:
        small = Work(tasks=1, takes={"x": 0}, spent=Spent(cpu_s=1, wall_s=2))
        large = Work(tasks=1, takes={"x": size}, spent=Spent(cpu_s=2, wall_s=12))
        return spent_line(small, large).at(1, 3 * size)

    assert runs(10**4) == Spent(cpu_s=4, wall_s=5)
    assert runs(10**7) == Spent(cpu_s=4, wall_s=32)


def test_work_goes_by_named_bytes_and_else_by_slices() -> None:
    assert size_of(Work(takes={"a": 3, "b": 4}, slices={"c": 9})) == 7
    assert size_of(Work(slices={"c": 9})) == 9


def test_sources_add_up_and_lists_count_once() -> None:
    one = Work(tasks=2, takes={"a": 1}, slices={"l": 5}, opens={"l": 2}, gives={"o": 3}, peak_bytes=7)
    other = Work(tasks=3, takes={"a": 10}, slices={"l": 5}, opens={"l": 2}, gives={"o": 30}, peak_bytes=4)
    found = together([one, other])
    assert (found.tasks, found.takes, found.slices, found.opens) == (5, {"a": 11}, {"l": 5}, {"l": 2})
    assert (found.gives, found.peak_bytes) == ({"o": 33}, 7)


def test_bytes_written_follow_bytes_read() -> None:
    small = Work(tasks=2, takes={"a": 100}, gives={"o": 220})
    large = Work(tasks=2, takes={"a": 1100}, gives={"o": 720})
    assert given_line(small, large, "o").at(10, 10_000) == pytest.approx(10 * 85 + 0.5 * 10_000)
