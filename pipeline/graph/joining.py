"""The graph of the steps that join copies: keys, edges, clusters, and later the choice within each cluster.

documents ─> emit ─> reduce ─> cluster ─> decide ─> choose ─> keep
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

CLUSTERED = "cluster/all"
"""The node after which every document's cluster is known."""


def joining_nodes(plan: Plan) -> list[Node]:
    """What stands before the soft decisions."""
    ranges = range(plan.partitions)
    return [*(_emit(plan, part) for part in plan.parts), *(_reduce(plan, number) for number in ranges), _cluster(plan)]


def choosing_nodes(plan: Plan) -> list[Node]:
    """What stands behind them: one task a range of clusters."""
    names = [part.name for part in plan.parts]
    return [
        plan.reducing("choose", "choose:run", "decide", "state/candidates", number, names, {})
        for number in range(plan.partitions)
    ]


def losers_listing(plan: Plan, results: Results) -> str | None:
    """What `keep` and `ledger` are told: where the copies stand; None where nothing joins them."""
    if not plan.barrier:
        return None
    return plan.listing("state-losers", plan.outputs(results, "choose", plan.range_names(), "state/losers"))


def _emit(plan: Plan, part: Part) -> Node:
    def build(results: Results) -> Task:
        return plan.task(
            f"emit/{part.name}",
            "cluster:emit",
            {
                "part": part.name,
                "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                "stage": plan.barrier,
                "seed": plan.manifest.seed,
                "partitions": plan.partitions,
            },
        )

    return Node(f"emit/{part.name}", (f"documents/{part.name}",), build)


def _reduce(plan: Plan, partition: int) -> Node:
    names = [part.name for part in plan.parts]
    more = {"stage": plan.barrier, "seed": plan.manifest.seed}
    return plan.reducing("reduce", "cluster:reduce", "emit", "state/keys", partition, names, more)


def _cluster(plan: Plan) -> Node:
    names = plan.range_names()

    def build(results: Results) -> Task:
        listing = plan.listing("state-edges", plan.outputs(results, "reduce", names, "state/edges"))
        args = {"listing": listing, "stage": plan.barrier, "seed": plan.manifest.seed, "parts": len(plan.parts)}
        return plan.task(CLUSTERED, "cluster:cluster", args)

    return Node(CLUSTERED, tuple(f"reduce/{name}" for name in names), build)
