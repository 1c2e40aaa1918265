"""Measure rates: build a sample of a manifest's own input with the real pipeline.

Three builds in one fresh process: of the sample, of a few records, and of the sample again. The first pays what a
process pays once (imports, kernels, models), the last does not: the difference is a worker's start. What the few
records cost is the fixed price of tasks and files; what the sample costs above it is the price of bytes.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lauter import __version__
from lauter.pipeline.cost import meter
from lauter.pipeline.cost.measure import Measured, SampleFailed, measured_build, stage_seconds, step_rates
from lauter.pipeline.cost.rates import Machine, Rates, SourceRates, Spent, described_stages, lineage
from lauter.pipeline.cost.sample import (
    Survey,
    every_nth,
    few_files,
    next_to_nothing,
    prepared_from_few,
    sampled,
    survey,
)
from lauter.pipeline.kernel import cache_folder
from lauter.pipeline.manifest import Manifest, StageSpec

SAMPLE_BYTES = 8 << 20
"""Bytes of payloads and texts that are worked on: 5 to 30 s, most of it extraction."""


@dataclass(frozen=True, slots=True)
class _Runs:
    """What the measuring process found."""

    surveys: list[Survey]
    """Of whole files."""
    taken: list[Survey]
    """Of the larger sample of them, when everything was loaded: its times are those of reading."""
    first: Spent
    """All that was done before everything was loaded, and"""
    again: Spent
    """the same when it was."""
    idle_bytes: int
    small: Measured
    large: Measured


def calibrate(manifest: Manifest, start: Spent, sample_bytes: int = SAMPLE_BYTES) -> Rates:
    """Measure rates on this machine. `start` is what this process spent before: a build spends it too.

    Raises `SampleFailed` where no source has a file, or where the sample cannot be built.
    """
    few = few_files(manifest)
    if not any(file.size for source in few.sources for file in source.files):
        raise SampleFailed(
            f"{manifest.path} has no input files here, so there is nothing to measure; "
            "give a manifest that has some and the same stages: --sample MANIFEST"
        )
    load = os.getloadavg()[0]
    before = _kernels()
    runs = _in_fresh_process(few, sample_bytes)
    if _kernels() != before:
        # Kernels were compiled, which the next process on this machine is spared.
        runs = _in_fresh_process(few, sample_bytes)
    return _rates(manifest, few, start, load, runs)


def _in_fresh_process(few: Manifest, sample_bytes: int) -> _Runs:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_runs, few, sample_bytes).result()


def _kernels() -> int:
    """Files of compiled kernels of this version in the cache."""
    return sum(1 for room in ("pipeline", "stages") for _ in cache_folder(room).rglob("*.nb?"))


def _runs(few: Manifest, sample_bytes: int) -> _Runs:
    begun = meter.now()
    surveys = [survey(source) for source in few.sources]
    little = sampled(few, next_to_nothing(surveys))
    little = replace(little, stages=tuple(prepared_from_few(stage, 1) for stage in little.stages))
    some = sampled(few, every_nth(surveys, sample_bytes))
    with tempfile.TemporaryDirectory(prefix="lauter-calibrate-") as folder:
        _built(some, f"{folder}/first", surveys)
        first = meter.since(begun)
        begun = meter.now()
        taken = [survey(source) for source in some.sources]
        read = meter.since(begun)
        few_taken = [survey(source) for source in little.sources]
        small = _built(little, f"{folder}/small", few_taken)
        meter.forget_peak()
        idle_bytes = meter.peak_bytes()
        large = _built(some, f"{folder}/large", taken)
    return _Runs(surveys, taken, first, read + large.whole, idle_bytes, small, large)


def _built(manifest: Manifest, root: str, surveys: list[Survey]) -> Measured:
    return measured_build(manifest, root, {found.source: found.payload_bytes for found in surveys})


def _rates(manifest: Manifest, few: Manifest, start: Spent, load: float, runs: _Runs) -> Rates:
    summary: dict[str, dict[str, int]] = runs.large.corpus["summary"]["sources"]
    nothing = {"kept": 0, "tokens": 0}
    sources = [
        SourceRates(
            name=source.name,
            kind=source.kind,
            files=len(source.files),
            file_bytes=sum(file.size for file in source.files),
            records=whole.records,
            payload_bytes=whole.payload_bytes,
            read=taken.read,
            taken_bytes=taken.payload_bytes,
            documents=summary.get(source.name, nothing)["kept"],
            tokens=summary.get(source.name, nothing)["tokens"],
        )
        for source, whole, taken in zip(few.sources, runs.surveys, runs.taken, strict=True)
        if whole.records
    ]
    return Rates(
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=this_machine(load),
        manifest=manifest.name,
        lineage=lineage(manifest),
        stages=described_stages(manifest),
        start=start,
        worker=runs.first - runs.again,
        worker_bytes=runs.idle_bytes,
        driver_small=runs.small.driver,
        driver_large=runs.large.driver,
        open_s=runs.large.open_s,
        prepared_bytes=sum(prepared_bytes(stage) for stage in few.stages),
        prepared_of_bytes=sum(prepared_bytes(stage) for stage in manifest.stages),
        stage_seconds=stage_seconds(runs.large),
        sources=sources,
        steps=step_rates(runs.small, runs.large),
    )


def prepared_bytes(stage: StageSpec) -> int:
    """Bytes of the files that a stage is prepared from, all of its files where it names no field for them."""
    cls: type[Any] = stage.load()
    if not hasattr(cls, "prepare"):
        return 0
    return sum(file.size for file in stage.inputs)


def this_machine(load: float) -> Machine:
    """What decides how fast it is, as far as the machine says."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    named = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return Machine(
        processor=named[0] if named else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        load=round(load, 2),
        system=platform.system(),
        python=platform.python_version(),
        lauter=__version__,
    )
