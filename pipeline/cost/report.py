"""A forecast as data: what a build takes, step by step, and what of it is measured and what extrapolated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.build import default_executor
from lauter.pipeline.cost.calibrate import prepared_bytes
from lauter.pipeline.cost.forecast import RAY_START_S, Steps, driver, driver_bytes, steps_of
from lauter.pipeline.cost.rates import Rates, Spent, described_stages
from lauter.pipeline.cost.sizes import Size, sizes, task_counts
from lauter.pipeline.manifest import Manifest, ShardingSection
from lauter.pipeline.quantity import shown, shown_bytes

PRICE_EUR = 0.04
"""Euro a core-hour where none is given: about what clouds ask for a virtual core with 4 GB on demand."""


PLANNING = "plan and report"
"""What the process that plans does, as a step."""
MAX_CELLS = 1 << 16
"""The most that `sharding.cells` allows."""


class NoForecast(Exception):
    """The rates and the manifest do not allow one; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    scale_tokens: int | None
    """Tokens that are to come out; None: the manifest as it is."""
    cores: int | None
    """None: as a build would choose on this machine."""
    price_eur: float = PRICE_EUR


def forecast(manifest: Manifest, rates: Rates, rates_path: str, wanted: Wanted, machine_cores: int) -> dict[str, Any]:
    """The forecast as plain JSON data. Raises `NoForecast`."""
    as_is = sizes(manifest, rates)
    tokens = sum(size.tokens for size in as_is)
    factor = 1.0
    if wanted.scale_tokens is not None:
        if not tokens:
            raise NoForecast(
                "nothing to scale: no source has files or `expect:`, or none of the sample's documents was kept; "
                "say `expect: {tokens: …}` for a source"
            )
        factor = wanted.scale_tokens / tokens
    scaled = [size.times(factor) for size in as_is]
    workers = wanted.cores or machine_cores
    small = factor <= 1 and default_executor(manifest, wanted.cores, None) == "inline" and _here(as_is)
    executor = "inline" if small or wanted.cores == 1 else "ray"
    cores = 1 if executor == "inline" else workers
    snapshot_bytes = sum(prepared_bytes(stage) for stage in manifest.stages)
    shard_tokens = tokens_per_shard(manifest, scaled)
    counts = task_counts(manifest, scaled)
    steps = steps_of(rates, scaled, counts, snapshot_bytes, shard_tokens, cores)
    planning = driver(rates, steps)
    # A process of its own loads what the planning one would; one that does all loads it once.
    loading = rates.worker.times(cores)
    core_s = sum(step.spent.cpu_s for step in steps.found) + planning.cpu_s + rates.start.cpu_s + loading.cpu_s
    ray_s = RAY_START_S if executor == "ray" else 0.0
    starting_s = rates.start.wall_s + rates.worker.wall_s + ray_s
    wall_s = sum(step.wall_s for step in steps.found) + planning.wall_s + starting_s
    largest = max(steps.found, key=lambda step: step.peak_bytes, default=None)
    alone = [(step.name, step.wall_s) for step in steps.found if step.tasks <= 1] + [(PLANNING, planning.wall_s)]
    serial, serial_s = max(alone, key=lambda item: item[1])
    state = sum(size for folder, size in steps.left.items() if folder.startswith("state/"))
    out = sum(steps.left.values()) - state
    bytes_ = {
        "input": round(sum(size.file_bytes for size in scaled)),
        "intermediate": round(state),
        "output": round(out),
        "tokens": round(steps.left.get("tokens", 0.0)),
        "disk_peak": round(state) + round(out),
    }
    return {
        "core_hours": core_s / 3600,
        "wall_hours": wall_s / 3600,
        "bytes": bytes_,
        "tb": {name: size / 1e12 for name, size in bytes_.items()},
        "peak_memory": {
            "worker_bytes": round(largest.peak_bytes) if largest else rates.worker_bytes,
            "step": largest.name if largest else None,
            "driver_bytes": round(driver_bytes(rates, steps)),
        },
        "cost": {
            "eur": cores * wall_s / 3600 * wanted.price_eur,
            "eur_per_core_hour": wanted.price_eur,
            "rented_core_hours": cores * wall_s / 3600,
        },
        "executor": executor,
        "cores": cores,
        "scale": {"factor": factor, "tokens_wanted": wanted.scale_tokens},
        "tokens": round(sum(size.tokens for size in scaled)),
        "documents": round(sum(size.documents for size in scaled)),
        "records": round(sum(size.records for size in scaled)),
        "tasks": sum(step.tasks for step in steps.found),
        "longest_serial": {"step": serial, "wall_hours": serial_s / 3600},
        "sources": [_source(size) for size in scaled],
        "steps": _steps(steps, planning, rates.start + loading, starting_s),
        "stage_seconds": dict(rates.stage_seconds),
        "rates": {
            "file": rates_path,
            "date": rates.date,
            "manifest": rates.manifest,
            "machine": rates.machine.model_dump(),
            "sampled_bytes": sum(source.taken_bytes for source in rates.sources),
        },
        "notes": _notes(manifest, rates, scaled, steps, factor),
    }


def tokens_per_shard(manifest: Manifest, found: Sequence[Size]) -> int:
    """Tokens of a shard: as the manifest says, or where so many do not fit its cells the least that a build allows."""
    tokens, sharding = sum(size.tokens for size in found), manifest.sharding
    if tokens <= sharding.tokens_per_shard * sharding.cells:
        return sharding.tokens_per_shard
    return max(ShardingSection().tokens_per_shard, math.ceil(tokens / MAX_CELLS))


def _here(found: Sequence[Size]) -> bool:
    """Whether all that is forecast lies in files that a build would find."""
    return all(size.basis != "expect" for size in found)


def _source(size: Size) -> dict[str, Any]:
    return {
        "name": size.name,
        "basis": size.basis,
        "rates_of": list(size.like),
        "files": size.files,
        "bytes": round(size.file_bytes),
        "payload_bytes": round(size.payload_bytes),
        "records": round(size.records),
        "documents": round(size.documents),
        "tokens": round(size.tokens),
    }


def _steps(steps: Steps, planning: Spent, start: Spent, starting_s: float) -> list[dict[str, Any]]:
    rows = [_row("start", 0, start.cpu_s, starting_s)]
    rows += [
        _row(step.name, step.tasks, step.spent.cpu_s, step.wall_s)
        | {
            "read_bytes": round(step.reads_bytes),
            "write_bytes": round(step.writes_bytes),
            "peak_memory_bytes": round(step.peak_bytes),
            "measured_bytes": step.measured_bytes,
            "files_opened": round(step.opened),
        }
        for step in steps.found
    ]
    return [*rows, _row(PLANNING, 0, planning.cpu_s, planning.wall_s)]


def _row(name: str, tasks: int, cpu_s: float, wall_s: float) -> dict[str, Any]:
    return {"step": name, "tasks": tasks, "core_hours": cpu_s / 3600, "wall_hours": wall_s / 3600}


def _notes(manifest: Manifest, rates: Rates, found: Sequence[Size], steps: Steps, factor: float) -> list[str]:
    notes = []
    taken = sum(source.taken_bytes for source in rates.sources)
    payload = sum(size.payload_bytes for size in found)
    if payload > 100 * taken:
        notes.append(
            f"extrapolated {shown(payload / max(1, taken))} times from {taken / 1e6:,.1f} MB of pages and texts; "
            "all is taken as proportional, and a larger corpus holds more copies than a sample"
        )
    unlike = _unlike(manifest, rates)
    if unlike:
        notes.append(f"the rates are of other stages or parameters: {'; '.join(unlike)}; --calibrate measures these")
    if steps.unmeasured:
        notes.append(f"no rate, so counted as nothing: {', '.join(steps.unmeasured)}")
    for size in found:
        if size.basis == "none":
            notes.append(f"source {size.name}: no file here and no `expect:`, so it is left out")
        elif size.basis == "expect":
            notes.append(f"source {size.name}: its size is what `expect:` says; rates of {', '.join(size.like)}")
        elif size.name not in size.like:
            notes.append(f"source {size.name}: not sampled; rates of {', '.join(size.like)}")
    if rates.machine.load > rates.machine.cores:
        notes.append(
            f"the machine was busy while it was measured (load {rates.machine.load} on {rates.machine.cores} cores): "
            "its core times are up to a fifth too long; waiting for a core is not counted"
        )
    if rates.prepared_bytes < rates.prepared_of_bytes:
        notes.append(
            f"{rates.prepared_bytes / 1e6:,.1f} of {rates.prepared_of_bytes / 1e6:,.1f} MB of snapshots were used: "
            "more pages than in the build went the way of a missing answer"
        )
    large = [step for step in steps.found if step.peak_bytes > rates.machine.memory_bytes]
    if large:
        held = ", ".join(f"{step.name} {shown_bytes(step.peak_bytes)}" for step in large)
        notes.append(
            f"a task that holds all that it is given outgrows the {shown_bytes(rates.machine.memory_bytes)} of the "
            f"measured machine: {held}; more ranges (`sharding.ranges`) make those by range smaller"
        )
    opening = {step.name: step.opened * rates.open_s / 3600 for step in steps.found}
    if sum(opening.values()) > 1:
        most = max(opening, key=lambda name: opening[name])
        notes.append(
            f"{shown(sum(step.opened for step in steps.found))} times a task opens a file that many write: "
            f"{sum(opening.values()):,.0f} core-hours, most of them in {most}; larger input files make it less"
        )
    shard_tokens = tokens_per_shard(manifest, found)
    if shard_tokens != manifest.sharding.tokens_per_shard:
        shards = math.ceil(sum(size.tokens for size in found) / shard_tokens)
        notes.append(
            f"shards of {manifest.sharding.tokens_per_shard:,} tokens do not fit {manifest.sharding.cells:,} cells; "
            f"this is a forecast for `tokens_per_shard: {shard_tokens}` and `cells: {1 << (shards - 1).bit_length()}`"
        )
    if factor > 1:
        notes.append("snapshots that stages are prepared from stay as the manifest names them")
    return notes


def _unlike(manifest: Manifest, rates: Rates) -> list[str]:
    measured = {stage["name"]: stage for stage in rates.stages}
    wanted = {stage["name"]: stage for stage in described_stages(manifest)}
    found = [f"{name} was not measured" for name in wanted if name not in measured]
    found += [f"{name} is not in the manifest" for name in measured if name not in wanted]
    for name in wanted:
        if name in measured and wanted[name] != measured[name]:
            same = wanted[name]["version"] == measured[name]["version"]
            found.append(f"{name} has other parameters" if same else f"{name} is another version")
    return found
