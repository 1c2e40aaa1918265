"""The graph of the steps that make the tree. It is the last one: leaves are rows as they are published."""

from __future__ import annotations

from lauter.pipeline.node import Node, Results
from lauter.pipeline.parts import Part
from lauter.pipeline.plan import Plan
from lauter.pipeline.proof.tree import LedgerTree, Range, Shape, shape_of
from lauter.pipeline.storage import Output
from lauter.pipeline.task import Task

PROVING = ("leaves", "merkle")
"""Its steps."""


def published_ledger(plan: Plan, results: Results) -> list[Output]:
    """The ledger parts as they lie in the run folder, in order."""
    done = [results[f"ledger/{part.name}"].published() for part in plan.parts]
    return [output for outputs in done for output in outputs if output.path.startswith("ledger/")]


def proving(plan: Plan, results: Results) -> list[Node]:
    """One `leaves` task a ledger part, one `merkle` task a group of ranges."""
    ledger = published_ledger(plan, results)
    shape = shape_of(sum(output.rows for output in ledger))
    nodes = [_leaves(plan, part, output, shape) for part, output in zip(plan.parts, ledger, strict=True)]
    return [*nodes, *(_merkle(plan, group, shape) for group in range(shape.groups))]


def ledger_tree(plan: Plan, results: Results) -> LedgerTree:
    """The tree, from the results of the `merkle` tasks."""
    groups = shape_of(sum(output.rows for output in published_ledger(plan, results))).groups
    trees = [tree for group in range(groups) for tree in results[f"merkle/{group:05d}"].info["trees"]]
    return LedgerTree(tuple(Range(leaves, bytes.fromhex(root)) for leaves, root in trees))


def _leaves(plan: Plan, part: Part, ledger: Output, shape: Shape) -> Node:
    args = {"part": part.name, "ledger": ledger.to_json(), "groups": shape.groups}
    return Node(f"leaves/{part.name}", (), lambda _: _task(plan, f"leaves/{part.name}", "leaves", args))


def _merkle(plan: Plan, group: int, shape: Shape) -> Node:
    name = f"merkle/{group:05d}"
    after = tuple(f"leaves/{part.name}" for part in plan.parts)

    def build(results: Results) -> Task:
        listing = plan.listing("state-leaves", [results[waited].output("state/leaves") for waited in after])
        return _task(plan, name, "merkle", {"listing": listing, "group": group, "shape": list(shape)})

    return Node(name, after, build)


def _task(plan: Plan, name: str, function: str, args: dict[str, object]) -> Task:
    return Task(name, f"lauter.pipeline.steps.merkle:{function}", plan.storage.root, args, plan.storage.token)
