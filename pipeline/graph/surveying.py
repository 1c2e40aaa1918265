"""The graph of what soft stages ask about the whole corpus: in how many documents something occurs.

documents ─> survey (a part) ─> surveyed (a stage) ─> decide
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.specs import apply_spec, spec_class
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan


def surveying(stages: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The stages that ask, without what only `decide` reads: another limit counts nothing anew."""
    found = []
    for spec in stages:
        cls = spec_class(spec)
        if hasattr(cls, "surveys") and cls.surveys(cls.Config.model_validate(dict(spec["config"]))):
            found.append(apply_spec(spec))
    return tuple(found)


def survey_nodes(plan: Plan) -> list[Node]:
    """One task a part and stage, and one a stage that sums them. Planted records are not counted."""
    counted = [part for part in plan.parts if not part.planted]
    return [
        node
        for spec in plan.surveying
        for node in (*(_survey(plan, spec, part) for part in counted), _joined(plan, spec["name"], counted))
    ]


def surveyed_nodes(plan: Plan) -> list[str]:
    """The nodes that `decide` waits for."""
    return [f"surveyed/{spec['name']}" for spec in plan.surveying]


def surveyed_outputs(plan: Plan, results: Results) -> dict[str, Any]:
    """What `decide` is told: stage -> where its counts stand."""
    return {
        spec["name"]: results[f"surveyed/{spec['name']}"].output("state/surveyed").to_json() for spec in plan.surveying
    }


def _survey(plan: Plan, spec: dict[str, Any], part: Part) -> Node:
    name = f"survey/{spec['name']}/{part.name}"

    def build(results: Results) -> Task:
        scores = results[f"documents/{part.name}"].output("scores").to_json()
        args = {"part": part.name, "scores": scores, "stage": spec, "seed": plan.manifest.seed}
        return plan.task(name, "survey:survey", args)

    return Node(name, (f"documents/{part.name}",), build)


def _joined(plan: Plan, stage: str, counted: Sequence[Part]) -> Node:
    parts = [f"survey/{stage}/{part.name}" for part in counted]

    def build(results: Results) -> Task:
        listed = plan.listing(f"state-survey-{stage}", lambda: [results[name].output("state/survey") for name in parts])
        return plan.task(f"surveyed/{stage}", "survey:join", {"listing": listed, "stage": stage})

    return Node(f"surveyed/{stage}", tuple(parts), build)
