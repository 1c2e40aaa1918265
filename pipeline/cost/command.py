"""What `lauter plan` does for its forecast: measure or find rates, and forecast."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lauter.pipeline.cost import meter
from lauter.pipeline.cost.calibrate import SAMPLE_BYTES, calibrate
from lauter.pipeline.cost.rates import find, lineage, load, reference_path, save
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
        rates, path = find(manifest)
        if path == reference_path():
            console.print(
                "[yellow]nothing was measured here: these rates come with Lauter, from another machine; "
                "--calibrate measures this one[/]",
                highlight=False,
                soft_wrap=True,
            )
    price_eur = PRICE_EUR if asked.price_eur is None else asked.price_eur
    cores = len(os.sched_getaffinity(0))
    return forecast(manifest, rates, str(path), Wanted(asked.scale_tokens, asked.cores, price_eur), cores)
