from __future__ import annotations

import io

import pytest
from rich.console import Console

from lauter.pipeline.cost.page import duration, print_forecast
from lauter.pipeline.cost.rates import Rates
from lauter.pipeline.cost.report import Wanted, forecast
from lauter.pipeline.manifest import Manifest


def shown(manifest: Manifest, rates: Rates, wanted: Wanted) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_forecast(console, forecast(manifest, rates, "/cache/rates.json", wanted, 2))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_newcomer_reads_ten_lines_below_the_steps(small_manifest: Manifest, small_rates: Rates) -> None:
    page = shown(small_manifest, small_rates, Wanted(15 * 10**12, 100))
    for step in ("documents", "same", "pack", "ledger", "plan and report"):
        assert step in page
    assert "15T in " in page and "100 cores on Ray" in page and "more cores do not help" in page
    assert "extrapolated" in page and "/cache/rates.json" in page and "EUR" in page and "TB" in page
    assert "~" in page, "a step that was measured on a few kilobytes is marked"


def test_in_one_process_nothing_is_said_of_more_cores(small_manifest: Manifest, small_rates: Rates) -> None:
    page = shown(small_manifest, small_rates, Wanted(None, None))
    assert "one core, in one process" in page and "more cores" not in page


@pytest.mark.parametrize(("hours", "text"), [(0, "0 s"), (1 / 3600, "1.0 s"), (0.5, "0.5 h"), (12_000, "12,000 h")])
def test_durations(hours: float, text: str) -> None:
    assert duration(hours) == text
