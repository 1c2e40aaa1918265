"""Whether the stages of a manifest can stand in their order: what one reads must be there, for every source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.conformance import is_barrier, is_cutter
from lauter.pipeline.faults import nearest
from lauter.pipeline.manifest import Source, StageSpec, load_target
from lauter.pipeline.preferences import preference_faults
from lauter.pipeline.routing import unknown_sources
from lauter.pipeline.specs import is_planted
from lauter.pipeline.yaml_lines import Location

Fault = tuple[Location, str]


def order_faults(specs: Sequence[StageSpec], sources: Sequence[Source]) -> Iterator[Fault]:
    """What is wrong with the order of some stages, each with its place in the manifest.

    What joins all documents comes last, then what cuts; they are of all sources. Columns are looked at for each set of
    stages that some source passes.
    """
    names = [source.name for source in sources]
    barrier_seen = cutter_seen = False
    for index, spec in enumerate(specs):
        where: Location = ("stages", index)
        if any(spec.name == other.name for other in specs[:index]):
            yield where, f"the stage {spec.name!r} stands twice"
        cls = spec.load()
        if cutter_seen:
            yield where, "no stage may follow the one that cuts passages; move it up"
        elif barrier_seen and not is_cutter(cls):
            yield where, "no stage may follow the one that joins all documents; move it up"
        barrier_seen = barrier_seen or is_barrier(cls)
        cutter_seen = cutter_seen or is_cutter(cls)
        if spec.sources and (is_barrier(cls) or is_cutter(cls)):
            yield (*where, "sources"), f"{spec.name!r} is of all sources: what it does needs all documents"
        for name in unknown_sources(spec.sources, names):
            yield (*where, "sources"), f"no source is named {name!r}{nearest(name, names)}"
    told = set()
    for group in _groups(specs, sources):
        for fault in _column_faults(specs, group):
            if fault not in told:
                told.add(fault)
                yield fault


class _Group(NamedTuple):
    """Sources that pass the same stages."""

    passed: tuple[int, ...]
    """The numbers of these stages."""
    has_text: bool
    """Whether the readers of all of them give text."""
    whose: str
    """What a message says of whom it is about; empty where all sources pass all stages."""


def _groups(specs: Sequence[StageSpec], sources: Sequence[Source]) -> list[_Group]:
    found: dict[tuple[int, ...], list[Source]] = {}
    # Planted records pass no stage.
    for source in [source for source in sources if not is_planted(source)] or sources:
        passed = tuple(n for n, spec in enumerate(specs) if not spec.sources or source.name in spec.sources)
        found.setdefault(passed, []).append(source)
    return [
        _Group(
            passed,
            all(load_target(source.target, "").provides_text for source in some),
            f" (of source {', '.join(source.name for source in some)})" if any(spec.sources for spec in specs) else "",
        )
        for passed, some in found.items()
    ]


def _column_faults(specs: Sequence[StageSpec], group: _Group) -> Iterator[Fault]:
    """What each stage of a group reads must have been written before it."""
    # A barrier may read `payload_hash` where readers give payloads.
    given = {"text"} if group.has_text else {"payload_hash"}
    written = (set(schema.RECORD.names) - {"text"}) | (given & {"text"})
    late: dict[str, str] = {}
    for index in group.passed:
        spec, where = specs[index], ("stages", index)
        cls = spec.load()
        writes = {*cls.documents.names, *cls.scores.names} if hasattr(cls, "documents") else set()
        config = cls.Config.model_validate(dict(spec.config))
        reads = cls.reads_for(config) if hasattr(cls, "reads_for") else cls.reads
        if "pii_spans" in written and "text" in writes:
            yield where, f"{spec.name!r} rewrites text whose spans an earlier stage has written; move it up"
        if hasattr(cls, "placement") and cls.placement(config) is not None:
            if cls.documents.names or hasattr(cls, "ledger"):
                yield where, f"{spec.name!r} wants a step of its own, and may write scores alone"
            late |= dict.fromkeys(cls.scores.names, spec.name)
        else:
            for column in (name for name in reads if name in late):
                yield where, f"reads column {column!r}, which {late[column]!r} writes in a later step"
        given_too = {"source"} | given if is_barrier(cls) else set()
        for column in (name for name in reads if name not in given_too):
            # A stage that makes text of payloads, as the extractor does, takes what text there is already.
            if column not in written and not (column == "text" and "text" in writes and "payload" in reads):
                lacking = f"which no earlier stage writes{nearest(column, sorted(written))}"
                if is_barrier(cls) and column == "payload_hash":
                    lacking = "and no source has payloads: their readers give text"
                yield where, f"reads column {column!r}, {lacking}{group.whose}"
        if is_barrier(cls):
            for message in preference_faults(cls.prefers(config), _scores(specs[:index])):
                yield where, message
        written |= writes
    if "text" not in written:
        yield ("stages",), f"no stage writes the column 'text'; add `extract`{group.whose}"


def _scores(specs: Sequence[StageSpec]) -> Mapping[str, pa.DataType]:
    """The score columns that some stages write."""
    scores: list[Any] = [getattr(spec.load(), "scores", pa.schema([])) for spec in specs]
    return {column.name: column.type for each in scores for column in each}
