"""Measured rates: what they hold, where they lie, and which of them a forecast takes."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from lauter.pipeline.manifest import Manifest
from lauter.pipeline.specs import is_planted

FORMAT = 1
REFERENCE = "reference.json"
"""Rates that come with Lauter, for who has not measured: of benchmarks/rates.yaml."""
LEAST_BYTES = 1 << 20
"""Bytes that must have been sampled of each kind of input, for rates to be those of another manifest: of less, a step
reads so little that its price is that of its tasks. The quickstart has 4 KB of JSONL and 2 KB of Parquet."""


class RatesError(Exception):
    """A file of rates cannot be read; the message names it and says how to make another."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spent(_Plain):
    """Seconds of all cores, and by the clock."""

    cpu_s: float = 0.0
    wall_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(cpu_s=self.cpu_s + other.cpu_s, wall_s=self.wall_s + other.wall_s)

    def __sub__(self, other: Spent) -> Spent:
        """What is left of it, at least nothing."""
        return Spent(cpu_s=max(0.0, self.cpu_s - other.cpu_s), wall_s=max(0.0, self.wall_s - other.wall_s))

    def times(self, factor: float) -> Spent:
        """So many times as much."""
        return Spent(cpu_s=self.cpu_s * factor, wall_s=self.wall_s * factor)


class Work(_Plain):
    """What the tasks of one step did together in one run. Bytes are as they lie on disk, by folder of the run."""

    tasks: int = 0
    spent: Spent = Spent()
    takes: Mapping[str, int] = {}
    """Folder -> bytes that the tasks name one by one; `input` are bytes of payload or text of the records."""
    named: Mapping[str, int] = {}
    """Folder -> files that they name one by one."""
    slices: Mapping[str, int] = {}
    """Folder -> bytes of lists of which every task reads a slice; together they read each file once."""
    opens: Mapping[str, int] = {}
    """Folder -> files that one such list names: each task opens every one."""
    gives: Mapping[str, int] = {}
    """Folder -> bytes written."""
    peak_bytes: int = 0
    """The largest resident memory of a worker and its children while it did one of the tasks."""


Shape = Literal["part", "range", "one", "shard"]
"""One task for each input file, for each range of keys, for the run, or for each so many tokens."""


class StepRates(_Plain):
    """A step, of one source where it has a task for each file, in a run over a few records and in one over more."""

    step: str
    source: str | None
    shape: Shape
    reads_files: bool
    """Whether its tasks open the input files."""
    late: bool
    """Whether its tasks are known only when everything is encoded, so that no plan names them before."""
    small: Work
    large: Work


class SourceRates(_Plain):
    """A source as it was sampled."""

    name: str
    kind: str
    files: int
    file_bytes: int
    records: int
    """Records in these files."""
    payload_bytes: int
    """Bytes of their payloads, or of their texts where they come with one."""
    read: Spent
    """What reading, counting and digesting these files takes."""
    taken_bytes: int
    """Bytes of payloads or texts of the records of the larger run."""
    documents: int
    """Documents that it kept, and their tokens."""
    tokens: int


class Machine(_Plain):
    """Where the rates were measured."""

    processor: str
    cores: int
    memory_bytes: int
    load: float
    """Processes that wanted a core when it began, one minute's mean. Above the cores all times are too long."""
    system: str
    python: str
    lauter: str


class Rates(_Plain):
    """All that a forecast multiplies."""

    format: int = FORMAT
    date: str
    machine: Machine
    manifest: str
    """Name of the manifest that was sampled."""
    lineage: str
    """Digest of its stages, readers and tokenizer (`lineage`)."""
    stages: Sequence[Mapping[str, Any]]
    """Name, version and parameters of each."""
    start: Spent
    """From the command to the first task: Python, imports, the manifest."""
    worker: Spent
    """What a process spends once: imports, kernels, models."""
    worker_bytes: int
    """What it holds then."""
    driver_small: Work
    driver_large: Work
    """The process that plans: all of the run that is no task, by tasks and by bytes of the ledger."""
    open_s: float
    """Opening an exchange file and reading the index of it."""
    prepared_bytes: int
    """Bytes of the snapshots and lists that stages were prepared from, as far as they were used, and of"""
    prepared_of_bytes: int
    """all that the manifest names."""
    stage_seconds: Mapping[str, float]
    """Stage -> seconds in the larger run, of those of the step that reads."""
    sources: Sequence[SourceRates]
    steps: Sequence[StepRates]


def lineage(manifest: Manifest) -> str:
    """SHA-256 over what decides how long a byte takes: kinds of source, stages, parameters; no file and no time."""
    content = [sorted({source.kind for source in manifest.sources}), described_stages(manifest)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def described_stages(manifest: Manifest) -> list[dict[str, Any]]:
    """Name, version and parameters of each stage and of the tokenizer, without the files that they name."""
    specs = [*manifest.stages, *([manifest.barrier] if manifest.barrier else []), manifest.encoder]
    found = []
    for spec in specs:
        named = {file.uri for file in spec.inputs}
        config = {key: value for key, value in spec.config.items() if not named & _strings(value)}
        found.append({"name": spec.name, "version": spec.load().version, "config": config})
    return found


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {item for item in value if isinstance(item, str)} if isinstance(value, (list, tuple)) else set()


def rates_folder() -> Path:
    """Where measured rates are kept: `$LAUTER_CACHE` or the user's cache."""
    root = os.environ.get("LAUTER_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "lauter-rates"


def save(rates: Rates, for_lineage: str) -> Path:
    """Keep rates for the forecasts of manifests with these stages; returns the file."""
    path = rates_folder() / f"{for_lineage[:24]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(f".{os.getpid()}")
    staged.write_text(rates.model_dump_json(indent=1) + "\n")
    staged.replace(path)
    return path


def load(path: Path) -> Rates:
    """Rates from a file; raises `RatesError`."""
    again = "`lauter plan MANIFEST --calibrate` measures new ones"
    try:
        rates = Rates.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RatesError(f"cannot read rates: {error}; {again}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        raise RatesError(f"{path} holds no rates ({where}: {first['msg']}); {again}") from error
    if rates.format != FORMAT:
        raise RatesError(f"{path} has format {rates.format}, this Lauter reads {FORMAT}; {again}")
    return rates


class Found(NamedTuple):
    """Rates, and why these."""

    rates: Rates
    path: Path
    why: Literal["measured", "alike", "reference"]
    """Measured for these stages; for such stages with other parameters; or from another machine."""
    passed_over: tuple[str, ...]
    """Manifest and file of those that were measured here and do not speak for this manifest."""


def find(manifest: Manifest) -> Found:
    """The rates measured for these stages; else those measured here that are the most alike; else Lauter's own.

    Rates are bound to what they were measured on (`speaks_for`); of those that speak for a manifest, the ones go first
    that have the most stages as they are here, then the newest. A file of an earlier format or of another kind is no
    rates.
    """
    own = rates_folder() / f"{lineage(manifest)[:24]}.json"
    stages = described_stages(manifest)
    alike: list[tuple[int, str, str, Rates, Path]] = []
    others: list[str] = []
    for path in sorted(rates_folder().glob("*.json")):
        try:
            rates = load(path)
        except RatesError:
            continue
        if path == own:
            return Found(rates, path, "measured", ())
        if speaks_for(rates, manifest):
            alike.append((sum(stage in stages for stage in rates.stages), rates.date, path.name, rates, path))
        else:
            others.append(f"{rates.manifest} ({path})")
    if alike:
        *_, rates, path = max(alike, key=lambda item: item[:3])
        return Found(rates, path, "alike", ())
    path = reference_path()
    return Found(load(path), path, "reference", tuple(others))


def speaks_for(rates: Rates, manifest: Manifest) -> bool:
    """Whether rates measured on one manifest may be those of another.

    Both have the same stages, parameters aside, and enough bytes were sampled of every kind of input; probes, which
    pass no stage, need none.
    """
    named = [
        {(stage["name"], stage["version"]) for stage in stages} for stages in (rates.stages, described_stages(manifest))
    ]
    taken = Counter[str]()
    for source in rates.sources:
        taken[source.kind] += source.taken_bytes
    kinds = {source.kind for source in manifest.sources if not is_planted(source)}
    return named[0] == named[1] and all(taken[kind] >= LEAST_BYTES for kind in kinds)


def reference_path() -> Path:
    """The rates that come with Lauter."""
    return Path(str(files("lauter.pipeline.cost").joinpath(REFERENCE)))
