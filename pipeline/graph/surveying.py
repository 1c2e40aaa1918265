"""The graph of what soft stages ask about the whole corpus: in how many documents something occurs.

documents ─> survey (a part) ─> [survey-sums (a run of parts)] ─> surveyed (a stage) ─> decide
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lauter.pipeline.graph.annotating import scored, scoring
from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.specs import apply_spec, spec_class
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

RUN_PARTS = 512
"""Parts whose counts are summed by a task of their own, where there are more. A histogram of 100 languages by 1,000
bins is up to 1.6 MB a part: of 90,000 parts 144 GB, which one task would read while all others wait."""


def surveying(stages: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The stages that ask, without what only `decide` reads: another limit counts nothing anew."""
    found = []
    for spec in stages:
        cls = spec_class(spec)
        if hasattr(cls, "surveys") and cls.surveys(cls.Config.model_validate(dict(spec["config"]))):
            found.append(apply_spec(spec))
    return tuple(found)


def survey_nodes(plan: Plan) -> list[Node]:
    """One task a part and stage, and those of each stage that sum them. Records that do not pass it are not counted."""
    nodes = []
    for spec in plan.surveying:
        counted = [part for part in plan.parts if not part.planted and plan.passed([spec], part)]
        nodes += [*(_survey(plan, spec, part) for part in counted), *_sums(plan, spec["name"], counted)]
    return nodes


def surveyed_nodes(plan: Plan, deciding: Sequence[Mapping[str, Any]]) -> list[str]:
    """The nodes that a `decide` with some stages waits for."""
    return [f"surveyed/{name}" for name in _surveyed(plan, deciding)]


def surveyed_outputs(plan: Plan, results: Results, deciding: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What it is told: stage -> where its counts stand."""
    names = _surveyed(plan, deciding)
    return {name: results[f"surveyed/{name}"].output("state/surveyed").to_json() for name in names}


def _surveyed(plan: Plan, deciding: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {spec["name"] for spec in deciding}
    return [spec["name"] for spec in plan.surveying if spec["name"] in names]


def _survey(plan: Plan, spec: dict[str, Any], part: Part) -> Node:
    name = f"survey/{spec['name']}/{part.name}"

    def build(results: Results) -> Task:
        scores = scored(results, part.name).output("scores").to_json()
        args = {"part": part.name, "scores": scores, "stage": spec, "seed": plan.manifest.seed}
        return plan.task(name, "survey:survey", args)

    return Node(name, (scoring(plan, part),), build)


def _sums(plan: Plan, stage: str, counted: Sequence[Part]) -> list[Node]:
    names, folder = [f"survey/{stage}/{part.name}" for part in counted], "state/survey"
    nodes = []
    if len(names) > RUN_PARTS:
        runs = [names[first : first + RUN_PARTS] for first in range(0, len(names), RUN_PARTS)]
        for number, run in enumerate(runs):
            label = f"{stage}/{number:05d}"
            nodes.append(_sum(plan, f"survey-sums/{label}", run, folder, f"state/survey-sums/{label}.arrow"))
        names, folder = [node.name for node in nodes], "state/survey-sums"
    return [*nodes, _sum(plan, f"surveyed/{stage}", names, folder, f"state/surveyed/{stage}.arrow")]


def _sum(plan: Plan, name: str, before: Sequence[str], folder: str, path: str) -> Node:
    def build(results: Results) -> Task:
        label = f"before-{name.replace('/', '-')}"
        listed = plan.listing(label, lambda: [results[task].output(folder) for task in before])
        return plan.task(name, "survey:join", {"listing": listed, "path": path})

    return Node(name, tuple(before), build)
