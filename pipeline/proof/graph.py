"""The graph of the steps that make the tree. It is the last one: leaves are rows as they are published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.proof.tree import LedgerTree, Range, Shape, shape_of
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task

PROVING = ("leaves", "merkle")
"""Its steps."""


class Named(Protocol):
    """A part, as far as a tree needs to know it."""

    @property
    def name(self) -> str:
        """Its name, as in `ledger/NAME`."""
        ...


class LedgerParts(Protocol):
    """What has a ledger: a plan, or a takedown at work on a finished corpus."""

    @property
    def storage(self) -> Storage:
        """The run folder."""
        ...

    @property
    def parts(self) -> Sequence[Named]:
        """The parts of its ledger, in order."""
        ...

    def listing(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """Publish a list of outputs for tasks that read one slice of each."""
        ...


def published_ledger(of: LedgerParts, results: Results) -> list[Output]:
    """The ledger parts as they lie in the run folder, in order."""
    done = [results[f"ledger/{part.name}"].published() for part in of.parts]
    return [output for outputs in done for output in outputs if output.path.startswith("ledger/")]


def proving(of: LedgerParts, results: Results) -> list[Node]:
    """One `leaves` task a ledger part, one `merkle` task a group of ranges."""
    ledger = published_ledger(of, results)
    shape = shape_of(sum(output.rows for output in ledger))
    nodes = [_leaves(of, part, output, shape) for part, output in zip(of.parts, ledger, strict=True)]
    names = [node.name for node in nodes]
    after = behind(names)
    return [*nodes, *(_merkle(of, group, shape, names, after) for group in range(shape.groups))]


def ledger_tree(of: LedgerParts, results: Results) -> LedgerTree:
    """The tree, from the results of the `merkle` tasks."""
    groups = shape_of(sum(output.rows for output in published_ledger(of, results))).groups
    trees = [tree for group in range(groups) for tree in results[f"merkle/{group:05d}"].info["trees"]]
    return LedgerTree(tuple(Range(leaves, bytes.fromhex(root)) for leaves, root in trees))


def _leaves(of: LedgerParts, part: Named, ledger: Output, shape: Shape) -> Node:
    args = {"part": part.name, "ledger": ledger.to_json(), "groups": shape.groups}
    return Node(f"leaves/{part.name}", (), lambda _: _task(of, f"leaves/{part.name}", "leaves", args))


def _merkle(of: LedgerParts, group: int, shape: Shape, leaves: Sequence[str], after: tuple[Joint]) -> Node:
    name = f"merkle/{group:05d}"

    def build(results: Results) -> Task:
        listing = of.listing("state-leaves", lambda: [results[waited].output("state/leaves") for waited in leaves])
        return _task(of, name, "merkle", {"listing": listing, "group": group, "shape": list(shape)})

    return Node(name, after, build)


def _task(of: LedgerParts, name: str, function: str, args: dict[str, object]) -> Task:
    return Task(name, f"lauter.pipeline.steps.merkle:{function}", of.storage.root, args, of.storage.token)
