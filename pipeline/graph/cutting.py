"""The graph of the steps that cut repeated passages out of kept documents, where a stage does that.

keep ─> passages ─> repeats ─> cut ─> encode

Nothing before `keep` depends on it: the ledger and the shards of another choice of passages are made without deciding
about any document again. Planted documents are compared with nothing here either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.specs import spec_class
from lauter.pipeline.steps.passages import MOST
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan


def cutting_nodes(plan: Plan) -> list[Node]:
    """One `passages` and one `cut` task a part, one `repeats` task a range of keys; none where no stage cuts."""
    if plan.cutter is None:
        return []
    repeats = _repeats(plan, plan.cutter)
    known = behind(node.name for node in repeats)
    return [
        *(_passages(plan, part, plan.cutter) for part in plan.parts),
        *repeats,
        *(_cut(plan, part, plan.cutter, known) for part in plan.parts),
    ]


def last_kept(plan: Plan, part: Part) -> str:
    """The node after which it is known which rows of a part are in the shards."""
    return f"{'keep' if plan.cutter is None else 'cut'}/{part.name}"


def kept_rows(plan: Plan, results: Results, part: Part) -> dict[str, Any]:
    """These rows, as tasks are told of them."""
    return results[last_kept(plan, part)].output("state/kept" if plan.cutter is None else "state/left").to_json()


def cuts_of(plan: Plan, results: Results, part: Part) -> dict[str, Any] | None:
    """What is cut of these rows; None where no stage cuts."""
    return None if plan.cutter is None else results[f"cut/{part.name}"].output("cuts").to_json()


def emptied_rows(plan: Plan, results: Results, part: Part) -> dict[str, Any] | None:
    """What `ledger` is told: the stage, and rows of which too little was left; None where no stage cuts."""
    if plan.cutter is None:
        return None
    emptied = results[f"cut/{part.name}"].output("state/emptied").to_json()
    return {"stage": plan.cutter["name"], "rows": emptied}


def cut_counts(plan: Plan, results: Results) -> dict[str, Any] | None:
    """What was compared and cut in the whole corpus; None where no stage cuts.

    `passages`, `distinct`, `repeated` (distinct ones that stand more often than stays), `occurrences` that come again,
    `chars` of the documents compared, `cut_chars`, `documents` that lost something and stay, `dropped` ones, and
    `most`: occurrences and code points of the most frequent passages.
    """
    if plan.cutter is None:
        return None
    by_range = [results[f"repeats/{name}"].info for name in plan.range_names()]
    by_part = [results[f"cut/{part.name}"].info for part in plan.parts]
    signed = [results[f"passages/{part.name}"].info for part in plan.parts]
    names = ("passages", "distinct", "repeated", "occurrences")
    return {
        **{name: sum(info[name] for info in by_range) for name in names},
        "chars": sum(info["chars"] for info in signed),
        **{name: sum(info[name] for info in by_part) for name in ("cut_chars", "documents", "dropped")},
        "most": sorted((item for info in by_range for item in info["most"]), reverse=True)[:MOST],
    }


def _passages(plan: Plan, part: Part, stage: dict[str, Any]) -> Node:
    def build(results: Results) -> Task:
        return plan.task(
            f"passages/{part.name}",
            "passages:run",
            {
                "part": part.name,
                "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                "kept": results[f"keep/{part.name}"].output("state/kept").to_json(),
                "planted": part.planted,
                "stage": stage,
                "cells": _cells(plan),
                "seed": plan.manifest.seed,
            },
        )

    return Node(f"passages/{part.name}", (f"keep/{part.name}",), build)


def _cells(plan: Plan) -> int:
    """Cells of the keys: those of the shuffle, which a corpus that outgrows them is told to raise."""
    return max(plan.partitions, plan.manifest.sharding.cells)


def _repeats(plan: Plan, stage: dict[str, Any]) -> list[Node]:
    cls = spec_class(stage)
    keeps = cls.keeps(cls.Config.model_validate(dict(stage["config"])))

    def more(number: int) -> dict[str, Any]:
        cells = [place * _cells(plan) // plan.partitions for place in (number, number + 1)]
        return {"cells": cells, "keeps": keeps}

    return plan.reducing("repeats", "passages:repeats", "passages", "state/passages", more)


def _cut(plan: Plan, part: Part, stage: dict[str, Any], known: tuple[Joint]) -> Node:
    def build(results: Results) -> Task:
        return plan.task(
            f"cut/{part.name}",
            "cut:run",
            {
                "part": part.name,
                "ordinal": part.ordinal,
                "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                "kept": results[f"keep/{part.name}"].output("state/kept").to_json(),
                "repeats": plan.listing(
                    "state-repeats", lambda: plan.outputs(results, "repeats", plan.range_names(), "state/repeats")
                ),
                "stage": stage,
                "seed": plan.manifest.seed,
            },
        )

    return Node(f"cut/{part.name}", known, build)
