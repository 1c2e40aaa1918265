"""The graph of packing, built when everything is encoded: only then the number of shards is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.storage import StorageError

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

SORT_TOKENS = 1 << 23
"""Tokens that are sorted together while a shard is packed: 32 MB of ids. Cells are read in such runs, since opening
every part's file for every cell costs more than the sorting."""


def packing_nodes(plan: Plan, results: Results) -> list[Node]:
    """One task a shard, now that the shard borders are known."""
    cells, totals = shard_cells(plan, results), _cell_tokens(plan, results)
    names = [part.name for part in plan.parts]
    args = {
        "listing": plan.listing("state-encoded", plan.outputs(results, "encode", names, "state/encoded")),
        "stream": plan.manifest.sharding.stream,
        "tokens_per_row_group": plan.manifest.sharding.tokens_per_row_group,
        "sources": [source.name for source in plan.manifest.sources],
        "part_source": [part.priority for part in plan.parts],
        "layout_id": layout_id(plan, cells),
        "tokenizer_digest": results["tokenizer/all"].info["sha256"],
    }
    return [
        plan.ready(
            f"pack/{shard:05d}",
            "pack:run",
            {**args, "shard": shard, "cell_groups": runs(totals, start, end, SORT_TOKENS)},
        )
        for shard, (start, end) in enumerate(cells)
    ]


def runs(totals: Sequence[int], first: int, end: int, target: int) -> list[tuple[int, int]]:
    """Cut [first, end) into runs of whole cells, each closed when it holds `target` tokens; at least one run.

    >>> runs([5, 0, 7, 1], 0, 4, 6)
    [(0, 3), (3, 4)]
    """
    found, start, held = [], first, 0
    for cell in range(first, end):
        held += totals[cell]
        if held >= target:
            found.append((start, cell + 1))
            start, held = cell + 1, 0
    if held or not found:
        found.append((start, end))
    return found


def shard_cells(plan: Plan, results: Results) -> list[tuple[int, int]]:
    """Runs of whole cells [first, end), one a shard, each closed when it reaches `tokens_per_shard`.

    Raises `StorageError` where one cell alone is larger than a shard may be: a cell is sorted in memory.
    """
    sharding = plan.manifest.sharding
    totals = _cell_tokens(plan, results)
    if max(totals) > sharding.tokens_per_shard and sum(totals) > sharding.cells * sharding.tokens_per_shard:
        raise StorageError(
            f"{sum(totals):,} tokens do not fit {sharding.cells} shards of {sharding.tokens_per_shard:,}: raise "
            "`sharding.cells` in the manifest (a power of two above the number of shards) and build again"
        )
    return runs(totals, 0, sharding.cells, sharding.tokens_per_shard)


def layout_id(plan: Plan, cells: Sequence[tuple[int, int]]) -> str:
    """What a trainer's reading order depends on: seed, stream and shard borders; never digests."""
    sharding = plan.manifest.sharding
    content = json.dumps([plan.manifest.seed, sharding.stream, sharding.cells, list(cells)])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _cell_tokens(plan: Plan, results: Results) -> list[int]:
    totals = [0] * plan.manifest.sharding.cells
    for part in plan.parts:
        for cell, tokens in results[f"encode/{part.name}"].info["cell_tokens"].items():
            totals[int(cell)] += tokens
    return totals
