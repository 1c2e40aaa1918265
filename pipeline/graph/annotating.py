"""The graph of the stages that ask for a step of their own: a GPU, or a model too large for every process.

documents ─> annotate (a part) ─> survey, decide

All of them share one step. `documents` then leaves its scores in `state/fused/`, and `annotate` the whole row of scores
in `scores/`, in the order of columns that one pass over all stages would give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lauter.pipeline.contract import Placement
from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.routing import shapes
from lauter.pipeline.specs import spec_class
from lauter.pipeline.task import Result, Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

FUSED = "state/fused"
"""Where `documents` leaves its scores when more are to come."""


def placement_of(spec: Mapping[str, Any]) -> Placement | None:
    """What a stage's own step takes; None for one that runs in the same pass as the others."""
    cls = spec_class(spec)
    if not hasattr(cls, "placement"):
        return None
    found: Placement | None = cls.placement(cls.Config.model_validate(dict(spec["config"])))
    return found


def is_placed(spec: Mapping[str, Any]) -> bool:
    """Whether a stage has a step of its own."""
    return placement_of(spec) is not None


def scores_folder(plan: Plan, part: Part) -> str:
    """Where `documents` leaves the scores of a part."""
    return FUSED if plan.placed and not part.planted else "scores"


def scoring(plan: Plan, part: Part) -> str:
    """The task whose outputs hold a part's scores."""
    return f"annotate/{part.name}" if plan.placed and not part.planted else f"documents/{part.name}"


def scored(results: Results, part: str) -> Result:
    """The result of that task, of a part by name."""
    return results.get(f"annotate/{part}") or results[f"documents/{part}"]


def annotate_nodes(plan: Plan) -> list[Node]:
    """One task a part, where a stage is placed. Planted records pass no stage."""
    if not plan.placed:
        return []
    return [_annotate(plan, part) for part in plan.parts if not part.planted]


def _together(placed: Sequence[Mapping[str, Any]]) -> Placement:
    """What a process takes that holds all of them: they run one after another, so the most of each kind."""
    found = [placement for spec in placed if (placement := placement_of(spec)) is not None] or [Placement()]
    return Placement(max(one.cpus for one in found), max(one.gpus for one in found))


def _annotate(plan: Plan, part: Part) -> Node:
    own = plan.passed(plan.placed, part)
    placement = _together(own)
    before, name = f"documents/{part.name}", f"annotate/{part.name}"
    prepared = [spec["name"] for spec in own if spec["name"] in plan.prepared]

    def build(results: Results) -> Task:
        done = results[before]
        args = {
            "part": part.name,
            "documents": done.output("documents").to_json(),
            "fused": done.output(FUSED).to_json(),
            "stages": own,
            "columns": shapes(plan.working),
            "prepared": {
                stage: [output.to_json() for output in results[f"prepare/{stage}"].outputs] for stage in prepared
            },
            "seed": plan.manifest.seed,
        }
        return replace(plan.task(name, "annotate:run", args), cpus=placement.cpus, gpus=placement.gpus)

    return Node(name, (before,), build)
