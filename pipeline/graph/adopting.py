"""The graph of the steps by which what older corpora have kept takes part in the comparison.

adopt ─> (joining) ─> sizes ─> adopted ─> propose
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.older import OlderPart
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan


def adopting_nodes(plan: Plan) -> list[Node]:
    """One task a part of an older corpus, which leaves the signatures of its kept documents."""
    return [_adopt(plan, part) for part in plan.older]


def adopted_nodes(
    plan: Plan, clustered: Sequence[str], clusters: Callable[[Results], str], prefers: Sequence[Sequence[str]]
) -> list[Node]:
    """One task a part, which makes candidates of them, behind `clustered`, which leave the listing `clusters`."""
    joint = behind(clustered)
    return [_adopted(plan, part, joint, clusters, prefers) for part in plan.older]


def _adopt(plan: Plan, part: OlderPart) -> Node:
    args = {"part": part.name, "partitions": plan.partitions}
    args |= {kind: dict(part.files[kind]) for kind in ("keys", "items", "ledger")}
    return plan.ready(f"adopt/{part.name}", "joining.adopt:signatures", args)


def _adopted(
    plan: Plan,
    part: OlderPart,
    clustered: tuple[Joint],
    clusters: Callable[[Results], str],
    prefers: Sequence[Sequence[str]],
) -> Node:
    def build(results: Results) -> Task:
        args = {
            "part": part.name,
            "ordinal": part.ordinal,
            "documents": dict(part.files["documents"]),
            "copies": {
                "clusters": clusters(results),
                "items": results[f"adopt/{part.name}"].output("state/adopted-items").to_json(),
                "prefers": [list(preference) for preference in prefers],
                "partitions": plan.partitions,
            },
        }
        return plan.task(f"adopted/{part.name}", "joining.adopt:kept", args)

    return Node(f"adopted/{part.name}", (f"adopt/{part.name}", *clustered), build)
