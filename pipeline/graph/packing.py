"""The graph of packing: the layout of all streams, and one task a shard, which are known only when that is made.

encode ─> shares (a run of parts) ─> layout ─> pack (a shard)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lauter.pipeline.graph.node import Node, Results, behind
from lauter.pipeline.marked import is_marked_source
from lauter.pipeline.steps.layout import STREAMS
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

LAID_OUT = "layout/all"
"""The node after which the streams and their shards are known."""

GATHERED = 512
"""Shards whose places are put together in one file; with fewer of them the files of the shards are read themselves."""


RUN_PARTS, MOST_RUNS = 512, 64
"""Parts of a run whose shares one task adds up, and most runs: then they are longer. What `layout` reads grows with the
runs: up to 16 bytes for each cell of each stream of every one, 20 GB where 64 runs have 300 streams of 65,536 cells."""


def share_runs(parts: int) -> list[tuple[int, int]]:
    """The parts [first, end) of each run.

    >>> share_runs(1000)
    [(0, 512), (512, 1000)]
    """
    size = max(RUN_PARTS, -(-parts // MOST_RUNS))
    return [(first, min(first + size, parts)) for first in range(0, parts, size)]


def layout_nodes(plan: Plan) -> list[Node]:
    """What stands behind the encoding of all parts."""
    runs = share_runs(len(plan.parts))
    shares = [_shares(plan, number, *run) for number, run in enumerate(runs)]
    names = [f"{number:05d}" for number in range(len(runs))]

    def build(results: Results) -> Task:
        sharding = plan.manifest.sharding
        args = {
            "sums": plan.listing("state-sums", lambda: plan.outputs(results, "shares", names, "state/sums")),
            "held": plan.listing("state-held", lambda: plan.outputs(results, "shares", names, "state/held")),
            "seed": plan.manifest.seed,
            "stream": sharding.stream,
            "cells": sharding.cells,
            "tokens_per_shard": sharding.tokens_per_shard,
        }
        return plan.task(LAID_OUT, "layout:run", args)

    return [*shares, Node(LAID_OUT, behind(node.name for node in shares), build)]


def _shares(plan: Plan, number: int, first: int, end: int) -> Node:
    parts = plan.parts[first:end]
    names = [part.name for part in parts]

    def build(results: Results) -> Task:
        args = {
            "number": number,
            "first": first,
            "listing": plan.listing(
                f"state-shares-{number:05d}", lambda: plan.outputs(results, "encode", names, "state/shares")
            ),
            "part_source": [part.priority for part in parts],
            "cells": plan.manifest.sharding.cells,
        }
        return plan.task(f"shares/{number:05d}", "shares:run", args)

    return Node(f"shares/{number:05d}", tuple(f"encode/{name}" for name in names), build)


def packing_nodes(plan: Plan, results: Results) -> list[Node]:
    """One task a shard, now that the shard borders are known."""
    layout = read_layout(plan)
    sharding = plan.manifest.sharding
    names = plan.names()
    args = {
        "listing": plan.listing("state-encoded", lambda: plan.outputs(results, "encode", names, "state/encoded")),
        "holders": results[LAID_OUT].output("state/holders").to_json(),
        "cells": sharding.cells,
        "tokens_per_row_group": sharding.tokens_per_row_group,
        "sources": [source.name for source in plan.manifest.sources],
        "layout_id": layout["layout_id"],
        "tokenizer_digest": results["tokenizer/all"].info["sha256"],
        "repeats": None if sharding.repeats is None else sharding.repeats.tokens,
        "dialogues": any(is_marked_source(source) for source in plan.manifest.sources),
        "planted": sorted({part.priority for part in plan.parts if part.planted}) if sharding.repeats else [],
    }
    return [
        plan.ready(
            f"pack/{stream['name']}/{shard:05d}",
            "pack:run",
            {**args, "stream": stream["name"], "number": number, "shard": shard, "cell_groups": groups},
        )
        for number, stream in enumerate(layout["streams"])
        for shard, groups in enumerate(stream["cell_groups"])
    ]


def repeat_counts(plan: Plan, results: Results) -> dict[str, int] | None:
    """Tokens that were removed as repeats and that are left, and documents that lost some; None: none were looked for.

    `window`: how many tokens in a row are a repeat.
    """
    repeats = plan.manifest.sharding.repeats
    if repeats is None:
        return None
    infos = [results[name].info for _, names in shard_tasks(read_layout(plan)) for name in names]
    return {
        "window": repeats.tokens,
        "removed": sum(info["repeats"]["removed"] for info in infos),
        "left": sum(info["tokens"] for info in infos),
        "documents": sum(info["repeats"]["documents"] for info in infos),
    }


class Places(NamedTuple):
    """Where the places of documents stand when the nodes are done."""

    nodes: Sequence[Node]
    names: Sequence[str]
    """The tasks that have them."""
    folder: str
    listing: str


def places_of(plan: Plan, results: Results) -> Places:
    """The places that the shards say, or, where there are many shards, tasks that put them together.

    Every part asks for the places of its documents: 1,000 parts that open 10,000 files each do so for ten minutes.
    """
    shards = [name for _, names in shard_tasks(read_layout(plan)) for name in names]
    if len(shards) <= GATHERED:
        return Places((), shards, "state/positions", "state-positions")

    def gathering(number: int) -> Node:
        some = shards[number * GATHERED : (number + 1) * GATHERED]
        listing = plan.listing(
            f"state-positions-{number:05d}", lambda: [results[name].output("state/positions") for name in some]
        )
        return plan.ready(f"places/{number:05d}", "places:run", {"number": number, "listing": listing})

    nodes = [gathering(number) for number in range(-(-len(shards) // GATHERED))]
    return Places(nodes, [node.name for node in nodes], "state/places", "state-places")


def read_layout(plan: Plan) -> dict[str, Any]:
    """The layout of this build, as `steps.layout` wrote it."""
    layout: dict[str, Any] = plan.storage.read_json(STREAMS)
    return layout


def shard_tasks(layout: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """(stream, names of the tasks of its shards), in order."""
    for stream in layout["streams"]:
        yield stream["name"], [f"pack/{stream['name']}/{shard:05d}" for shard in range(len(stream["shards"]))]
