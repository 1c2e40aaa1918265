"""What `lauter plan` does for its forecast: measure or find rates, and forecast."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cost import meter
from lauter.pipeline.cost.calibrate import SAMPLE_BYTES, calibrate
from lauter.pipeline.cost.rates import Found, find, lineage, load, save
from lauter.pipeline.cost.report import PRICE_EUR, Wanted, forecast
from lauter.pipeline.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command; None where one was not given."""

    scale_tokens: int | None = None
    cores: int | None = None
    price_eur: float | None = None
    rates: str | None = None
    calibrate: bool = False
    sample_bytes: int | None = None


def asks(asked: Asked) -> bool:
    """Whether an option speaks of the forecast."""
    return asked != Asked()


def costs(manifest: Manifest, sample: Manifest, asked: Asked, console: Console) -> dict[str, Any]:
    """The forecast of a manifest; `sample` is what is measured, where that is asked for.

    Raises `RatesError`, `NoForecast`, and `SampleFailed`.
    """
    if asked.calibrate:
        # What this process has spent so far, a build spends too.
        start = meter.since_start()
        console.print(f"measuring with a sample of {sample.name}; this takes about a minute", highlight=False)
        measured = calibrate(sample, start, asked.sample_bytes or SAMPLE_BYTES)
        rates, path = measured, save(measured, lineage(manifest))
        console.print(f"rates kept in {path}", highlight=False, soft_wrap=True)
    elif asked.rates is not None:
        path = Path(asked.rates)
        rates = load(path)
    else:
        found = find(manifest)
        rates, path = found.rates, found.path
        if said := _whence(found):
            console.print(f"[yellow]{escape(said)}[/]", highlight=False, soft_wrap=True)
    price_eur = PRICE_EUR if asked.price_eur is None else asked.price_eur
    cores = len(os.sched_getaffinity(0))
    return forecast(manifest, rates, str(path), Wanted(asked.scale_tokens, asked.cores, price_eur), cores)


def _whence(found: Found) -> str:
    """What to know of rates that were not measured for these stages; empty for those that were."""
    if found.why == "measured":
        return ""
    if found.why == "alike":
        return (
            f"these rates were measured here on {found.rates.manifest}, with other parameters of the same stages; "
            "--calibrate measures these"
        )
    nothing = "nothing was measured here"
    if found.passed_over:
        nothing = f"what was measured here has other stages or kinds of input: {', '.join(found.passed_over)}"
    takes = "; --rates FILE takes it all the same, and" if found.passed_over else ";"
    return f"{nothing}. These rates come with Lauter, from another machine{takes} --calibrate measures this one"
