"""The graph of what stages build before any record is read: one task, or by ranges of keys where there is much.

map (a run of input files) ─> answer (a range) ─> settle (a range) ─> prepare
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.node import Node, Results, behind
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.specs import apply_spec, stage_spec
from lauter.pipeline.steps.prepare_ranges import ANSWERS, QUESTIONS, ROWS, SETTLED
from lauter.pipeline.storage import FileStat
from lauter.pipeline.task import Task

RANGE_BYTES = 64 << 20
"""Bytes of input files of a map task, and of a range. What a settling task holds is some ten times as much."""

MAX_RANGES = 4096
"""A map task leaves a message for each; one of less than its 5 KB of heading is waste."""

MakeTask = Callable[[str, str, dict[str, Any]], Task]


@dataclass(frozen=True, slots=True)
class Preparing:
    """What the nodes of one stage are made of."""

    stage: StageSpec
    seed: int
    task: MakeTask
    """(name, `module:function` of a step, arguments) -> task."""
    listings: Listings
    digests: DigestCache
    range_bytes: int = RANGE_BYTES


def prepare_nodes(what: Preparing) -> list[Node]:
    """The tasks of one stage; the last is `prepare/NAME`.

    Their number depends on the bytes of the input files alone. By ranges goes a stage that can
    (`contract.PartitionedStage`) and has more than `range_bytes` of them.
    """
    field = getattr(what.stage.load(), "prepare_from", None)
    files = [] if field is None else input_files(what.stage, field)
    ranges = min(MAX_RANGES, -(-sum(file.size for file in files) // what.range_bytes))
    if field is None or ranges <= 1:
        spec = apply_spec(stage_spec(what.stage, what.digests))
        return [
            Node(
                f"prepare/{what.stage.name}",
                (),
                lambda _: what.task(f"prepare/{what.stage.name}", "prepare:run", {"stage": spec, "seed": what.seed}),
            )
        ]
    return _ranges(what, field, groups(files, what.range_bytes), ranges)


def input_files(stage: StageSpec, field: str) -> list[FileStat]:
    """The files of one field of a stage's parameters, sorted by URI, each once."""
    wanted = set(stage.config.get(field) or ())
    found = {file.uri: file for file in stage.inputs if file.uri in wanted}
    return [found[uri] for uri in sorted(found)]


def without_input_files(stage: StageSpec, field: str) -> StageSpec:
    """The stage without one field of its parameters, and without the files that this field names."""
    left = {key: value for key, value in stage.config.items() if key != field}
    gone = set(input_files(stage, field))
    inputs = tuple(file for file in stage.inputs if file not in gone)
    return StageSpec(stage.name, stage.target, left, inputs, stage.python_path)


def working_spec(stage: StageSpec, digests: DigestCache) -> dict[str, Any]:
    """The stage as tasks are told of it that work on records: what it was prepared from is in what it left.

    A snapshot of 90,000 files would put 20 MB into each of as many tasks.
    """
    field = getattr(stage.load(), "prepare_from", None)
    return apply_spec(stage_spec(stage if field is None else without_input_files(stage, field), digests))


def groups(files: Sequence[FileStat], size: int) -> list[list[FileStat]]:
    """Runs of files, each closed when it holds `size` bytes."""
    found: list[list[FileStat]] = [[]]
    held = 0
    for file in files:
        if held >= size:
            found.append([])
            held = 0
        found[-1].append(file)
        held += file.size
    return found


def _ranges(what: Preparing, field: str, runs: list[list[FileStat]], ranges: int) -> list[Node]:
    name = what.stage.name
    # A map task depends on its own files only, so that a newer snapshot beside the old ones costs its own reading.
    others = without_input_files(what.stage, field)
    common = {"stage": apply_spec(stage_spec(others, what.digests)), "seed": what.seed, "ranges": ranges}
    maps, answers, settled = (
        [f"prepare-{step}/{name}/{number:05d}" for number in range(count)]
        for step, count in (("map", len(runs)), ("answer", ranges), ("settle", ranges))
    )

    def made(results: Results, tasks: Sequence[str], folder: str) -> str:
        label = f"{folder.rpartition('/')[2]}-{name}"
        return what.listings.publish(label, lambda: [results[task].output(folder) for task in tasks])

    def mapping(number: int) -> Callable[[Results], Task]:
        files = [{"uri": file.uri, **what.digests.sha256(file)} for file in runs[number]]
        args = {**common, "number": number, "files": files}
        return lambda _: what.task(maps[number], "prepare_ranges:map_files", args)

    def answering(number: int) -> Callable[[Results], Task]:
        return lambda results: what.task(
            answers[number],
            "prepare_ranges:answer",
            {
                **common,
                "number": number,
                "rows": made(results, maps, ROWS),
                "questions": made(results, maps, QUESTIONS),
            },
        )

    def settling(number: int) -> Callable[[Results], Task]:
        return lambda results: what.task(
            settled[number],
            "prepare_ranges:settle",
            {
                **common,
                "number": number,
                "rows": made(results, maps, ROWS),
                "answers": made(results, answers, ANSWERS),
            },
        )

    def finishing(results: Results) -> Task:
        counts: Counter[str] = Counter()
        for task in (*maps, *settled):
            counted: Mapping[str, int] = results[task].info["counts"]
            counts.update(counted)
        args = {**common, "settled": made(results, settled, SETTLED), "counts": dict(counts)}
        return what.task(f"prepare/{name}", "prepare_ranges:finish", args)

    mapped, answered = behind(maps), behind(answers)
    return [
        *(Node(maps[number], (), mapping(number)) for number in range(len(runs))),
        *(Node(answers[number], mapped, answering(number)) for number in range(ranges)),
        *(Node(settled[number], answered, settling(number)) for number in range(ranges)),
        Node(f"prepare/{name}", tuple(settled), finishing),
    ]
