"""The graph of the steps that join copies, as `comparing` describes them.

    sign ─> meet ─> left ─> judge ─> evidence ─> compare ─┬─> nodes … labels ─┬─> members ─> sizes ─> decide
                                                          └───────────────────┴─> route
    decide, route ─> propose ─> again-left ─> again-judge ─> again-evidence ─> again-compare ─> again-route
    decide, route, again-route ─> choose ─> limits ─> keep

All but sign and evidence are tasks by range: of keys, of items, or of components. What a round of comparing does stands
once (`_round`); the second one compares what the hubs of large buckets have left open, which is known only when it is
decided what survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lauter.pipeline.comparing import Limits
from lauter.pipeline.graph.adopting import adopted_nodes, adopting_nodes
from lauter.pipeline.graph.connecting import connecting_nodes, label_names, labels_of
from lauter.pipeline.graph.node import Node, Results, behind
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.older import OlderPart
from lauter.pipeline.specs import spec_class
from lauter.pipeline.steps.joining.choose import LARGEST
from lauter.pipeline.storage import Output
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

LIMITS = "limits/all"
"""The node after which the copies are known, and are as many as they may be."""


@dataclass(frozen=True, slots=True)
class _Round:
    """One pass of pairs through sketches and texts."""

    name: str
    """Prefix of its steps and folders."""
    pairs: str
    """The step that leaves the pairs."""


FIRST, AGAIN = _Round("", "meet"), _Round("again-", "propose")


def joining_nodes(plan: Plan) -> list[Node]:
    """What stands before the soft decisions."""
    edges = _named(plan, "meet", "judge", "compare")
    compared = [
        *(_sign(plan, part) for part in plan.parts),
        *adopting_nodes(plan),
        *_ranged(plan, "meet", "meet:run", signing_names(plan), _keys),
        *_round(plan, FIRST),
    ]
    if graph_free(plan):
        return [
            *compared,
            *_ranged(plan, "turn", "neighbours:turn", edges, _turn),
            *_ranged(plan, "gather", "neighbours:gather", [*signing_names(plan), *_named(plan, "turn")], _gather),
            *_ranged(plan, "sizes", "members:sizes", _named(plan, "gather"), _sizes),
        ]
    return [
        *compared,
        *connecting_nodes(plan, edges),
        *_ranged(plan, "members", "members:members", [*signing_names(plan), *label_names(plan)], _members),
        *_route(plan, FIRST),
        *_ranged(plan, "sizes", "members:sizes", _named(plan, "members"), _sizes),
    ]


def choosing_nodes(plan: Plan) -> list[Node]:
    """What stands behind them."""
    decided = [f"decide/{name}" for name in plan.names()]
    decided += [f"adopted/{part.name}" for part in plan.older]
    adopted = adopted_nodes(plan, clustered_names(plan), partial(_clusters, plan), _prefers(plan))
    if graph_free(plan):
        return [*adopted, *_ranged(plan, "choose", "choose:foremost", decided, _foremost), _limits(plan)]
    return [
        *adopted,
        *_ranged(plan, "propose", "choose:propose", [*decided, *_named(plan, "route")], _propose),
        *_round(plan, AGAIN),
        *_route(plan, AGAIN),
        *_ranged(plan, "choose", "choose:choose", [*decided, *_named(plan, "route", "again-route")], _choose),
        _limits(plan),
    ]


def graph_free(plan: Plan) -> bool:
    """Whether no component is built: the stage's `method` says so."""
    assert plan.barrier is not None
    cls = spec_class(plan.barrier)
    if not hasattr(cls, "method"):
        return False
    found: str = cls.method(cls.Config.model_validate(dict(plan.barrier["config"])))
    return found == "smaller-neighbour"


def signing_names(plan: Plan) -> list[str]:
    """The nodes that leave signatures."""
    return [*(f"sign/{name}" for name in plan.names()), *(f"adopt/{part.name}" for part in plan.older)]


def clustered_names(plan: Plan) -> list[str]:
    """The nodes after which every document's cluster is known."""
    return _named(plan, "sizes")


def copies_of(plan: Plan, results: Results, part: Part) -> dict[str, Any] | None:
    """What `decide` is told of copies: of which documents there are some, and how they are put in order."""
    if plan.joining is None:
        return None
    return {
        "clusters": _clusters(plan, results),
        "items": results[f"sign/{part.name}"].output("signatures/items").to_json(),
        "prefers": _prefers(plan),
        "partitions": plan.partitions,
    }


def _clusters(plan: Plan, results: Results) -> str:
    return plan.listing("state-clusters", lambda: _outputs(plan, results, "sizes", "state/clusters"))


def _prefers(plan: Plan) -> list[list[str]]:
    assert plan.barrier is not None
    cls = spec_class(plan.barrier)
    return [list(preference) for preference in cls.prefers(cls.Config.model_validate(dict(plan.barrier["config"])))]


def losers_listing(plan: Plan, results: Results) -> str | None:
    """What `keep` and `ledger` are told: where the copies stand; None where nothing joins them."""
    if plan.joining is None:
        return None
    return plan.listing("state-losers", lambda: _outputs(plan, results, "choose", "state/losers"))


def copies_listing(plan: Plan, results: Results) -> str | None:
    """What `keep` is told besides: for how many documents others stand."""
    if plan.joining is None:
        return None
    return plan.listing("state-copies", lambda: _outputs(plan, results, "choose", "state/copies"))


def cluster_counts(plan: Plan, results: Results) -> dict[str, Any] | None:
    """What the report says of clusters; None where nothing joins documents.

    `clusters` with a document of this corpus and `clustered` (documents in one, those of older corpora too),
    `log2_sizes` (these clusters by size, class k up to 2^k documents), `survivors` (documents that nothing else objects
    to), `removed` copies of them, `largest` clusters by survivors, each with the document that stands for it, and
    buckets of more than 10,000 items (`meet.LARGE`): how many, and the most items of one. `compared` pairs, and how
    many of them by text.
    """
    if plan.joining is None:
        return None
    sizes = [result.info["log2_sizes"] for result in _results(plan, results, "sizes")]
    met = [result.info for result in _results(plan, results, "meet")]
    rounds = ("judge",) if graph_free(plan) else ("judge", "again-judge")
    judged = [result.info for step in rounds for result in _results(plan, results, step)]
    return {
        "clusters": sum(result.info["clusters"] for result in _results(plan, results, "sizes")),
        "clustered": sum(result.info["clustered"] for result in _results(plan, results, "sizes")),
        "log2_sizes": [
            sum(size[power] for size in sizes if power < len(size)) for power in range(max(map(len, sizes), default=0))
        ],
        **results[LIMITS].info,
        "compared": sum(info["pairs"] for info in judged),
        "compared_by_text": sum(info["open"] for info in judged),
        "large_buckets": sum(info["large_buckets"] for info in met),
        "largest_bucket": max((info["largest_bucket"] for info in met), default=0),
    }


def _named(plan: Plan, *steps: str) -> list[str]:
    return [f"{step}/{name}" for step in steps for name in plan.range_names()]


def _results(plan: Plan, results: Results, step: str) -> list[Any]:
    return [results[name] for name in _named(plan, step)]


def _outputs(plan: Plan, results: Results, step: str, folder: str) -> list[Any]:
    return plan.outputs(results, step, plan.range_names(), folder)


def _edges(plan: Plan, results: Results, *steps: str) -> list[Output]:
    return [output for step in steps for output in _outputs(plan, results, step, "state/edges")]


def _common(plan: Plan, name: str = "") -> dict[str, Any]:
    return {"stage": plan.joining, "seed": plan.manifest.seed, "partitions": plan.partitions, "name": name}


def _sign(plan: Plan, part: Part) -> Node:
    def build(results: Results) -> Task:
        documents = results[f"documents/{part.name}"].output("documents").to_json()
        own = {"part": part.name, "source": part.source, "documents": documents, "planted": part.planted}
        return plan.task(f"sign/{part.name}", "joining.sign:run", {**_common(plan), **own})

    return Node(f"sign/{part.name}", (f"documents/{part.name}",), build)


def _ranged(plan: Plan, step: str, function: str, after: Sequence[str], more: Any) -> list[Node]:  # noqa: ANN401 - a function of plan and results
    """A task for each range; `more(plan, results)` is what it is told besides its range."""

    def building(name: str, number: int) -> Node:
        def build(results: Results) -> Task:
            args = {**_common(plan), "partition": number, **more(plan, results)}
            return plan.task(f"{step}/{name}", f"joining.{function}", args)

        return Node(f"{step}/{name}", joint, build)

    joint = behind(after)
    return [building(name, number) for number, name in enumerate(plan.range_names())]


def _keys(plan: Plan, results: Results) -> dict[str, Any]:
    listing = plan.listing("signatures-keys", lambda: _signatures(plan, results, "keys"))
    return {"listing": listing, "crossed": graph_free(plan)}


def _signatures(plan: Plan, results: Results, kind: str) -> list[Output]:
    """The files of one kind of all parts, own ones first: a part's ordinal is its place here."""
    own = [results[f"sign/{name}"].output(f"signatures/{kind}") for name in plan.names()]
    return own + [results[f"adopt/{part.name}"].output(f"state/adopted-{kind}") for part in plan.older]


def items_listing(plan: Plan, results: Results) -> str:
    """Where the signed items of all parts stand."""
    return plan.listing("signatures-items", lambda: _signatures(plan, results, "items"))


def _labels(plan: Plan, results: Results) -> str:
    return plan.listing("state-labels", lambda: labels_of(plan, results))


def _round(plan: Plan, which: _Round) -> list[Node]:
    name = which.name
    parts: list[Part | OlderPart] = [*plan.parts, *plan.older]

    def listed(results: Results, step: str, folder: str) -> str:
        return plan.listing(f"state-{name}{folder}", lambda: _outputs(plan, results, step, f"state/{name}{folder}"))

    def left(plan: Plan, results: Results) -> dict[str, Any]:
        pairs = listed(results, which.pairs, "pairs")
        return {"name": name, "pairs": pairs, "items": items_listing(plan, results)}

    def judge(plan: Plan, results: Results) -> dict[str, Any]:
        half = listed(results, f"{name}left", "half")
        return {"name": name, "half": half, "items": items_listing(plan, results)}

    def compare(plan: Plan, results: Results) -> dict[str, Any]:
        listing = plan.listing(
            f"state-{name}evidence", lambda: [results[text].output(f"state/{name}evidence") for text in texts]
        )
        return {"name": name, "evidence": listing}

    def evidence(part: Part | OlderPart) -> Node:
        def build(results: Results) -> Task:
            own = {
                "part": part.name,
                "ordinal": part.ordinal,
                "source": part.source,
                "documents": _documents(part, results),
                "wanted": listed(results, f"{name}judge", "wanted"),
            }
            return plan.task(
                f"{name}evidence/{part.name}", "joining.open_pairs:evidence", {**_common(plan, name), **own}
            )

        own = () if isinstance(part, OlderPart) else (f"documents/{part.name}",)
        return Node(f"{name}evidence/{part.name}", (*own, *judged), build)

    before = [*signing_names(plan), *_named(plan, which.pairs)]
    judged = behind(_named(plan, f"{name}judge"))
    texts = [f"{name}evidence/{part.name}" for part in parts]
    return [
        *_ranged(plan, f"{name}left", "sketches:left", before, left),
        *_ranged(plan, f"{name}judge", "sketches:judge", [*signing_names(plan), *_named(plan, f"{name}left")], judge),
        *(evidence(part) for part in parts),
        *_ranged(plan, f"{name}compare", "open_pairs:compare", texts, compare),
    ]


def _documents(part: Part | OlderPart, results: Results) -> dict[str, Any]:
    if isinstance(part, OlderPart):
        return dict(part.files["documents"])
    return results[f"documents/{part.name}"].output("documents").to_json()


def _route(plan: Plan, which: _Round) -> list[Node]:
    steps = [f"{which.name}{step}" for step in ("judge", "compare")]

    def route(plan: Plan, results: Results) -> dict[str, Any]:
        edges = plan.listing(f"{which.name}verified-edges", lambda: _edges(plan, results, *steps))
        return {"name": which.name, "edges": edges, "labels": _labels(plan, results)}

    after = [*_named(plan, *steps), *label_names(plan)]
    return _ranged(plan, f"{which.name}route", "members:route", after, route)


def _members(plan: Plan, results: Results) -> dict[str, Any]:
    items = items_listing(plan, results)
    return {"items": items, "labels": _labels(plan, results), "sketches": bool(plan.mirroring)}


def _sizes(plan: Plan, results: Results) -> dict[str, Any]:
    step = "gather" if graph_free(plan) else "members"
    members = plan.listing("state-members", lambda: _outputs(plan, results, step, "state/members"))
    limits = _limits_of(plan)
    return {
        "members": members,
        "visits": graph_free(plan),
        "parts": len(plan.parts),
        "signed": sum(output.rows for output in _signatures(plan, results, "items")),
        "largest_cluster": limits.largest_cluster,
        "largest_documents": limits.largest_cluster_documents,
        "documents": plan.listing("documents", lambda: plan.outputs(results, "documents", plan.names(), "documents")),
    }


def _limits_of(plan: Plan) -> Limits:
    assert plan.barrier is not None
    cls = spec_class(plan.barrier)
    limits: Limits = cls.limits(cls.Config.model_validate(dict(plan.barrier["config"])))
    return limits


def _turn(plan: Plan, results: Results) -> dict[str, Any]:
    links = plan.listing("identity-edges", lambda: _edges(plan, results, "meet"))
    return {"links": links, "edges": plan.listing("verified-edges", lambda: _edges(plan, results, "judge", "compare"))}


def _gather(plan: Plan, results: Results) -> dict[str, Any]:
    neighbours = plan.listing("state-neighbours", lambda: _outputs(plan, results, "turn", "state/neighbours"))
    return {"neighbours": neighbours, "items": items_listing(plan, results)}


def _foremost(plan: Plan, results: Results) -> dict[str, Any]:
    edges = plan.listing("state-component-edges", lambda: _outputs(plan, results, "gather", "state/component-edges"))
    return {**_candidates(plan, results, ()), "edges": [edges]}


def _candidates(plan: Plan, results: Results, rounds: Sequence[_Round]) -> dict[str, Any]:
    assert plan.joining is not None

    def candidates() -> list[Output]:
        found = [results[f"decide/{name}"].output("state/candidates") for name in plan.names()]
        return found + [results[f"adopted/{part.name}"].output("state/candidates") for part in plan.older]

    def routed(which: _Round) -> str:
        folder = f"state/{which.name}component-edges"
        return plan.listing(folder.replace("/", "-"), lambda: _outputs(plan, results, f"{which.name}route", folder))

    return {
        "candidates": plan.listing("state-candidates", candidates),
        "edges": [routed(which) for which in rounds],
        "identities": list(spec_class(plan.joining).identities),
        "parts": len(plan.parts),
    }


def _propose(plan: Plan, results: Results) -> dict[str, Any]:
    return {**_candidates(plan, results, (FIRST,)), "name": AGAIN.name}


def _choose(plan: Plan, results: Results) -> dict[str, Any]:
    return _candidates(plan, results, (FIRST, AGAIN))


def _limits(plan: Plan) -> Node:
    def build(results: Results) -> Task:
        chosen = [result.info for result in _results(plan, results, "choose")]
        largest = sorted((item for info in chosen for item in info["largest"]), key=lambda item: (-item[0], item[3]))
        largest = largest[:LARGEST]
        compared = [part for part in plan.parts if not part.planted]
        documents = {
            str(part.ordinal): results[f"documents/{part.name}"].output("documents").to_json()
            for part in compared
            if any(item[1] == part.ordinal for item in largest)
        }
        args = {
            "stage": plan.barrier,
            "survivors": sum(results[f"decide/{part.name}"].info["survivors"] for part in compared),
            "removed": sum(info["duplicates"] for info in chosen),
            "largest": largest,
            "documents": documents,
        }
        return plan.task(LIMITS, "joining.limits:run", args)

    return Node(LIMITS, tuple(_named(plan, "choose")), build)
