"""The graph of connected components: edges that other tasks left in `state/edges/` and `state/ends/` become labels.

nodes ─> number-left ─> number-right ─> unite ─> roots ─> labels        a task per range, but for unite

`components.py` says what each step does and what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.storage import Output
from lauter.pipeline.task import Task

EDGES, ENDS = "state/edges", "state/ends"


class Ranged(Protocol):
    """What this needs of a plan."""

    partitions: int

    def range_names(self) -> list[str]:
        """The names of the tasks of a step that has one for each range."""
        ...

    def task(self, name: str, function: str, args: dict[str, Any]) -> Task:
        """A task of the build."""
        ...

    def listing(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """Publish a list of outputs."""
        ...


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    function: str
    reads: Mapping[str, str]
    """Folder below `state/` -> the step that leaves it; the edges are left by others."""


_STEPS = (
    _Step("nodes", "nodes", {}),
    _Step("number-left", "number_left", {"nodes": "nodes"}),
    _Step("number-right", "number_right", {"nodes": "nodes", "halves": "number-left"}),
    _Step("unite", "join", {"nodes": "nodes", "numbered": "number-right"}),
    _Step("roots", "find_roots", {"nodes": "nodes", "forest": "unite"}),
    _Step("labels", "label", {"nodes": "nodes", "roots": "roots"}),
)
_READ_EDGES = {"nodes": (EDGES, ENDS), "number-left": (EDGES,)}


def connecting_nodes(plan: Ranged, before: Sequence[str]) -> list[Node]:
    """The steps by range, behind the tasks `before`, which wrote edges."""
    ranges = [(name, number) for number, name in enumerate(plan.range_names())]
    found: list[Node] = []
    after = behind(before)
    for step in _STEPS:
        tasks = [("all", 0)] if step.name == "unite" else ranges
        nodes = [_node(plan, step, before, after, f"{step.name}/{name}", number) for name, number in tasks]
        after = behind(node.name for node in nodes)
        found += nodes
    return found


def _node(plan: Ranged, step: _Step, before: Sequence[str], after: tuple[Joint], name: str, partition: int) -> Node:
    def build(results: Results) -> Task:
        args = {
            folder: _listing(plan, results, _tasks(plan, made_by), f"state/{folder}")
            for folder, made_by in step.reads.items()
        }
        args |= {
            folder.removeprefix("state/"): _listing(plan, results, before, folder)
            for folder in _READ_EDGES.get(step.name, ())
        }
        numbers = {"partition": partition, "partitions": plan.partitions}
        return plan.task(name, f"connect:{step.function}", {**args, **numbers})

    return Node(name, after, build)


def _tasks(plan: Ranged, step: str) -> list[str]:
    return [f"{step}/{name}" for name in (["all"] if step == "unite" else plan.range_names())]


def label_names(plan: Ranged) -> list[str]:
    """The tasks that leave labels."""
    return _tasks(plan, "labels")


def labels_of(plan: Ranged, results: Results) -> list[Output]:
    """The files of labels, by range of item."""
    return [results[name].output("state/labels") for name in label_names(plan)]


def _listing(plan: Ranged, results: Results, names: Sequence[str], folder: str) -> str:
    return plan.listing(folder.replace("/", "-"), lambda: [results[name].output(folder) for name in names])
