"""A plan as plain data: what a config takes on given hardware, and layouts that fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.checkpoint.interval import Interval, interval
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import RunSection
from lauter.trainer.config.shape import model_shape
from lauter.trainer.data.listed_path import INDEX
from lauter.trainer.data.tokenizer import read_tokenizer
from lauter.trainer.loop.throughput import measured as measured_peak
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.planner import speed
from lauter.trainer.planner.flop import flop
from lauter.trainer.planner.hardware import HARDWARE, Hardware, this_machine
from lauter.trainer.planner.layout import Job, Laid, lay, parsed
from lauter.trainer.planner.speed import Speed
from lauter.trainer.planner.suggest import Suggestion, least_ranks, reason, suggestions

CPU = "cpu"

_AGREEMENT_S = 1.0
# Assumed of a save besides copying: ranks wait for each other and compare their copies of weights.


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says besides the config. None: as the config or the hardware has it."""

    hardware: str = CPU
    ranks: int | None = None
    layout: str | None = None
    """See `layout.parsed`."""
    mfu: float | None = None
    tokens_per_second: float | None = None
    """Of one rank, measured; takes the place of `mfu`."""
    node_mtbf_hours: float | None = None
    storage_bandwidth: float | None = None
    """Bytes/s."""


def plan(section: RunSection, wanted: Wanted) -> dict[str, Any]:
    """The plan as JSON data; nothing but the config needs to exist.

    Keys: `name`; `parameters`, `non_embedding_parameters`; `hardware` (what is known of it); `ranks`;
    `sequence_length`, `step_tokens`, `total_tokens`, `steps` (at the last batch size); `flop_per_token`, `total_flop`
    (causal attention), `total_flop_full_attention` (counted as if every token saw all others), `computed_flop` (with
    what is recomputed); `layout` (the asked one: see `_layout`, or `fits` false and `why` where it can't be run);
    `memory`, `bubble_fraction`, `communication` of it; `tokens_per_second`, `tokens_per_second_per_rank`, `mfu`,
    `basis` (derived, mfu or measured), `days`, `gpu_hours` (rank-hours), `energy_kwh` (of the devices alone);
    `checkpoint_bytes`; `checkpoint` (interval by Daly, with a pause for the whole write and for a copy to the host);
    `layouts` (ranked suggestions, of the shape of `layout`); `least_ranks` (where none of them fits: see
    `suggest.least_ranks`; else None); `notes` (what is assumed). Bytes are of the fullest rank.

    Raises:
        ValueError: hardware, layout or shape make no sense; the message says which.
    """
    notes: list[str] = []
    shape = model_shape(section.model, _ids(section, notes), section.data.sequence_length)
    parallel, micro = (section.parallel, None) if wanted.layout is None else parsed(wanted.layout, section.parallel)
    micro = micro or section.batch.micro
    product = parallel.pipeline * parallel.replicate * (parallel.shard or 1) * parallel.context * parallel.tensor
    ranks = wanted.ranks or product
    sizes = {section.batch.sequences, *(step.sequences for step in section.batch.ramp)}
    job = Job(
        shape=shape,
        precision=section.precision,
        optimizer=section.optimizer,
        sequence_length=section.data.sequence_length,
        sequences=max(sizes),
        asynchronous=section.checkpoint.asynchronous,
        hardware=_hardware(wanted, section, ranks),
        ranks=ranks,
        smaller=tuple(sorted(sizes - {max(sizes)})),
    )
    found = suggestions(job, parallel, micro)
    laid, why = _asked(job, parallel, micro)
    counts = flop(shape, job.sequence_length, parallel.recompute) if laid is None else laid.flop
    rate = _speed(wanted, job, laid, found)
    # A phase begins where the one before it ended.
    tokens = section.schedule.total_tokens - section.schedule.from_tokens
    hours = None if rate is None else speed.device_hours(tokens, rate, ranks)
    slots = 4 if section.optimizer.name == "ademamix" else 3
    saved = shape.parameters * slots * (8 if section.precision == "fp64" else 4)
    notes += _notes(job, rate)
    return {
        "name": section.name,
        "parameters": shape.parameters,
        "non_embedding_parameters": shape.non_embedding_parameters,
        "hardware": asdict(job.hardware),
        "ranks": ranks,
        "sequence_length": job.sequence_length,
        "step_tokens": job.step_tokens,
        "total_tokens": tokens,
        "steps": -(-tokens // job.step_tokens),
        "flop_per_token": counts.model,
        "total_flop": counts.model * tokens,
        "total_flop_full_attention": counts.full_attention * tokens,
        "computed_flop": counts.computed * tokens,
        "layout": {**_axes(parallel, micro), "fits": False, "why": why} if laid is None else _layout(laid, why, job),
        "memory": None if laid is None else _memory(laid, job),
        "bubble_fraction": None if laid is None else laid.bubble,
        "communication": None if laid is None else _communication(laid),
        "tokens_per_second": None if rate is None else rate.tokens_per_second,
        "tokens_per_second_per_rank": None if rate is None else rate.tokens_per_second / ranks,
        "mfu": None if rate is None else rate.mfu,
        "basis": None if rate is None else rate.basis,
        "days": None if rate is None else speed.days(tokens, rate),
        "gpu_hours": hours,
        "energy_kwh": None if hours is None else speed.energy_kwh(hours, job.hardware),
        "checkpoint_bytes": saved,
        "checkpoint": _checkpoint(job, saved, rate),
        "layouts": [_layout(one.laid, one.why, job) for one in found],
        "least_ranks": None if any(one.laid.fits for one in found) else _least_ranks(job, parallel, micro),
        "notes": notes,
    }


def _least_ranks(job: Job, parallel: ParallelSection, micro: int) -> int | None:
    # More processes on this machine bring no memory.
    return None if job.hardware.name == CPU else least_ranks(job, parallel, micro)


def _asked(job: Job, parallel: ParallelSection, micro: int) -> tuple[Laid | None, str]:
    try:
        laid = lay(job, parallel, micro)
    except ValueError as error:
        return None, str(error)
    return laid, reason(laid, job)


def _ids(section: RunSection, notes: list[str]) -> int:
    """Of the tokenizer, where there is a corpus; otherwise the rows that the config or the preset has."""
    if section.model.vocabulary is not None:
        return section.model.vocabulary
    for corpus in section.data.corpora:
        try:
            storage = Storage(corpus.path)
            listed = json.loads(storage.read(INDEX))["tokenizer"]
            return read_tokenizer(storage, listed).ids
        except (StorageError, OSError, ValueError, KeyError):
            continue
    ids = PRESETS[section.model.preset].vocabulary
    notes.append(f"no corpus is there yet: {ids:,} ids are taken from the preset {section.model.preset}")
    return ids


def _hardware(wanted: Wanted, section: RunSection, ranks: int) -> Hardware:
    if wanted.hardware == CPU:
        # The peak of all cores: one process has as many threads as there are.
        peak = section.metrics.peak_flops or measured_peak(torch.float32)
        found = this_machine(ranks, peak)
    elif wanted.hardware in HARDWARE:
        found = HARDWARE[wanted.hardware]
    else:
        raise ValueError(f"--hardware: {wanted.hardware!r} is none of {', '.join([*HARDWARE, CPU])}")
    mtbf = wanted.node_mtbf_hours or found.node_mtbf_hours
    return replace(found, node_mtbf_hours=mtbf, storage_bandwidth=wanted.storage_bandwidth or found.storage_bandwidth)


def _speed(wanted: Wanted, job: Job, laid: Laid | None, found: Sequence[Suggestion]) -> Speed | None:
    """Of the asked layout; of the best one where that can't be run; None where there is none either."""
    shown = laid or next((one.laid for one in found if one.laid.fits), None)
    counts = flop(job.shape, job.sequence_length, "none") if shown is None else shown.flop
    if wanted.tokens_per_second is not None:
        return speed.measured(wanted.tokens_per_second, job.hardware, counts, job.ranks)
    if wanted.mfu is not None:
        return speed.at_mfu(wanted.mfu, job.hardware, counts, job.ranks)
    return None if shown is None else shown.speed


def _axes(parallel: ParallelSection, micro: int) -> dict[str, Any]:
    return {**parallel.model_dump(mode="json"), "micro": micro}


def _layout(laid: Laid, why: str, job: Job) -> dict[str, Any]:
    """A layout: the keys of `parallel` and `micro`; whether it fits, why, and its figures."""
    return {
        **_axes(laid.parallel, laid.micro),
        "micro_batches": laid.micro_batches,
        "fits": laid.fits,
        "why": why,
        "memory_bytes": laid.total_bytes,
        "bubble_fraction": laid.bubble,
        "tokens_per_second": laid.speed.tokens_per_second,
        "tokens_per_second_per_rank": laid.speed.tokens_per_second / job.ranks,
        "mfu": laid.speed.mfu,
    }


def _memory(laid: Laid, job: Job) -> dict[str, Any]:
    """`parts` are of tensors; `total_bytes` has the runtime, and on a CPU the snapshot, besides."""
    return {
        "parts": laid.memory.parts,
        "moment": laid.memory.moment,
        "pipeline_place": laid.memory.place,
        "tensors_bytes": laid.memory.total,
        "runtime_bytes": job.hardware.runtime_bytes,
        "snapshot_bytes": laid.snapshot_bytes,
        "snapshot_on_device": job.hardware.name == CPU,
        "total_bytes": laid.total_bytes,
        "available_bytes": job.hardware.memory_bytes,
    }


def _communication(laid: Laid) -> dict[str, Any]:
    return {
        axis: {
            "bytes_per_step": one.bytes,
            "bandwidth": one.bandwidth,
            "seconds_per_step": one.seconds,
            "waits": one.waits,
        }
        for axis, one in laid.messages.items()
    }


def _checkpoint(job: Job, saved: int, rate: Speed | None) -> dict[str, Any]:
    """Seconds, steps and lost share of saving, `blocking` and `asynchronous`."""
    nodes = -(-job.ranks // job.hardware.per_node)
    mtbf = job.hardware.node_mtbf_hours * 3600 / nodes
    writing = saved / job.hardware.storage_bandwidth
    copying = _AGREEMENT_S + saved / job.ranks / job.hardware.host_bandwidth
    step = None if rate is None else job.step_tokens / rate.tokens_per_second

    def told(pause: float, found: Interval) -> dict[str, Any]:
        steps = None if step is None else max(1, round(found.seconds / step))
        return {"pause_s": pause, "every_s": found.seconds, "every_steps": steps, "lost": found.lost}

    return {
        "job_mtbf_hours": mtbf / 3600,
        "nodes": nodes,
        "write_s": writing,
        "blocking": told(writing, interval(writing, mtbf)),
        "asynchronous": told(copying, interval(copying, mtbf, writing=writing)),
    }


def _notes(job: Job, rate: Speed | None) -> list[str]:
    notes = []
    if rate is not None and rate.basis == "derived":
        notes.append(
            f"speed is derived: {job.hardware.efficiency:.0%} of the peak while no rank waits is a guess; "
            "say --mfu or --tokens-per-second where you know better"
        )
    if job.hardware.name == CPU:
        notes.append(
            "memory is what tensors take: glibc holds 4 to 7 % more on one process and up to 1.6 times as much on "
            "several, unless MALLOC_MMAP_THRESHOLD_=131072 is set"
        )
    else:
        notes.append("no GPU has checked this: memory of tensors was compared with runs on a CPU, speed with nothing")
    return notes


def names() -> list[str]:
    """What `--hardware` takes."""
    return [*HARDWARE, CPU]
