"""Times as archives write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lauter.stages.optout.snapshot.answer import parse_time


def test_times() -> None:
    day = int(datetime(2025, 1, 31, tzinfo=UTC).timestamp())
    assert parse_time("2025-01-31") == day
    assert parse_time("2025-01-31", end_of_day=True) == day + 86399
    assert parse_time(date(2025, 1, 31), end_of_day=True) == day + 86399
    assert parse_time("2025-01-31T01:00:00+01:00", end_of_day=True) == day
    assert parse_time(datetime(2025, 1, 31)) == day
    assert parse_time(float(day)) == day
    nothing: list[object] = ["soon", None, True, [], 1e30, "9999-99-99"]
    assert [parse_time(value) for value in nothing] == [None] * 6
