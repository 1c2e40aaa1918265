"""The graph of the steps that find copies of records which a stage dropped, where that stage wants to know of them.

    documents ─> mirrors ─> mirror-meet ─> mirror-left ─> mirror-judge ─> mirrored ─> decide
                 sign ──────┘               labels ────────┘  members ────┘

Nothing of the joining of documents depends on it: with `keep` the corpus is, to the token, the one without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lauter.pipeline.graph.connecting import label_names, labels_of
from lauter.pipeline.graph.joining import graph_free
from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.graph.parts import Part
from lauter.pipeline.specs import reads_of, spec_class, writes_of
from lauter.pipeline.storage import Output
from lauter.pipeline.task import Task

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan


@dataclass(frozen=True, slots=True)
class Mirroring:
    """A stage to which copies of what it drops matter, for which reasons, and what becomes of the copies."""

    stage: str
    reasons: tuple[str, ...]
    policy: Literal["keep", "drop"]


def mirroring(stages: Sequence[Mapping[str, Any]]) -> tuple[Mirroring, ...]:
    """The stages of a plan that want to know of copies, in order."""
    found = []
    for spec in stages:
        cls = spec_class(spec)
        if hasattr(cls, "mirrors"):
            reasons = tuple(reason.name for reason in cls.reasons if reason.mirrored)
            config = cls.Config.model_validate(dict(spec["config"]))
            found.append(Mirroring(spec["name"], reasons, cls.mirrors(config)))
    return tuple(item for item in found if item.reasons)


def signing_stages(stages: Sequence[Mapping[str, Any]], barrier: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages without which the barrier stage can't read a record: those that write what it or one of them reads."""
    needed, chosen = set(reads_of(barrier)), []
    for spec in reversed(stages):
        if needed & writes_of(spec):
            needed |= reads_of(spec)
            chosen.append(dict(spec))
    return chosen[::-1]


def mirror_nodes(plan: Plan, partitions: Sequence[str]) -> list[Node]:
    """One `mirrors` task a part, and three tasks a range: of keys, of the records' items, and of the documents'."""
    assert plan.joining is not None
    names, ranges = [part.name for part in plan.parts], list(enumerate(partitions))
    signed = behind(f"{step}/{name}" for step in ("mirrors", "sign") for name in names)
    met = behind(f"mirror-meet/{name}" for name in partitions)
    alone = graph_free(plan)
    left = behind((f"mirror-left/{name}" for name in partitions), [] if alone else label_names(plan))
    # Without components there is nothing to carry a copy to.
    carrying = ("mirror-judge",) if alone else ("mirror-judge", "members")
    judged = behind(f"{step}/{name}" for step in carrying for name in partitions)
    return [
        *(_mirrors(plan, part, plan.joining, len(partitions)) for part in plan.parts),
        *(
            _ranged(plan, f"mirror-meet/{name}", number, "mirror_pairs:meet", signed, _meeting)
            for number, name in ranges
        ),
        *(_ranged(plan, f"mirror-left/{name}", number, "mirror_pairs:left", met, _touching) for number, name in ranges),
        *(_ranged(plan, f"mirror-judge/{name}", number, "mirrored:judge", left, _judging) for number, name in ranges),
        *(_ranged(plan, f"mirrored/{name}", number, "mirrored:carry", judged, _carrying) for number, name in ranges),
    ]


def _task(plan: Plan, name: str, function: str, args: dict[str, Any]) -> Task:
    return Task(name, f"lauter.pipeline.steps.{function}", plan.storage.root, args, plan.storage.token)


def _mirrors(plan: Plan, part: Part, barrier: Mapping[str, Any], partitions: int) -> Node:
    name = f"mirrors/{part.name}"
    stages = signing_stages(plan.passed(plan.working, part), barrier)
    prepared = [spec["name"] for spec in stages if spec["name"] in plan.prepared]
    wanted = {item.stage: list(item.reasons) for item in plan.mirroring}

    def build(results: Results) -> Task:
        return _task(
            plan,
            name,
            "mirrors:run",
            {
                "part": part.name,
                "source": part.source,
                "reader": dict(part.reader),
                "file": part.described(),
                "records": results[f"documents/{part.name}"].output("state/records").to_json(),
                "wanted": wanted,
                "stages": stages,
                "prepared": {
                    stage: [output.to_json() for output in results[f"prepare/{stage}"].outputs] for stage in prepared
                },
                "barrier": barrier,
                "seed": plan.manifest.seed,
                "partitions": partitions,
            },
        )

    return Node(name, (f"documents/{part.name}",), build)


def _listing(plan: Plan, results: Results, step: str, names: Sequence[str], folder: str) -> str:
    return plan.listing(folder.replace("/", "-"), lambda: plan.outputs(results, step, names, folder))


def _ranged(
    plan: Plan,
    name: str,
    partition: int,
    function: str,
    after: tuple[Joint],
    more: Callable[[Plan, Results], dict[str, Any]],
) -> Node:
    def build(results: Results) -> Task:
        common = {"partition": partition, "partitions": plan.partitions, "stage": plan.joining}
        return _task(plan, name, function, {**common, "seed": plan.manifest.seed, **more(plan, results)})

    return Node(name, after, build)


def _meeting(plan: Plan, results: Results) -> dict[str, Any]:
    mirrors = _listing(plan, results, "mirrors", plan.names(), "state/mirror-keys")
    return {"listing": _listing(plan, results, "sign", plan.names(), "signatures/keys"), "mirrors": mirrors}


def _touching(plan: Plan, results: Results) -> dict[str, Any]:
    return {
        "meetings": _listing(plan, results, "mirror-meet", plan.range_names(), "state/meetings"),
        "items": _listing(plan, results, "mirrors", plan.names(), "state/mirror-items"),
        "records": _listing(plan, results, "mirrors", plan.names(), "state/mirrors"),
    }


def _judging(plan: Plan, results: Results) -> dict[str, Any]:
    return {
        "touches": _listing(plan, results, "mirror-left", plan.range_names(), "state/touches"),
        "items": _listing(plan, results, "sign", plan.names(), "signatures/items"),
        # Without components there is nothing to carry a copy to.
        "labels": plan.listing("state-labels", lambda: [] if graph_free(plan) else labels_of(plan, results)),
    }


def _carrying(plan: Plan, results: Results) -> dict[str, Any]:
    found = _listing(plan, results, "mirror-judge", plan.range_names(), "state/found")

    def members() -> Sequence[Output]:
        return [] if graph_free(plan) else plan.outputs(results, "members", plan.range_names(), "state/members")

    return {"found": found, "members": plan.listing("members-with-sketches", members)}


def found_mirrors(plan: Plan, results: Results) -> dict[str, Any] | None:
    """What `decide` is told: where the copies stand, and the policy of each stage; None where nobody asks."""
    if not plan.mirroring:
        return None

    def found() -> list[Output]:
        names, steps = plan.range_names(), ("mirror-judge", "mirrored")
        return [output for step in steps for output in plan.outputs(results, step, names, "state/mirrored")]

    return {
        "found": plan.listing("state-mirrored", found),
        "policies": [[item.stage, item.policy] for item in plan.mirroring],
    }


def mirror_counts(plan: Plan, results: Results) -> dict[str, Any] | None:
    """Copies found and dropped, found by source, and the records that they were looked for with; None: nobody asked."""
    if not plan.mirroring:
        return None
    sources: Counter[str] = Counter()
    dropped = 0
    for part in plan.parts:
        info = results[f"decide/{part.name}"].info["mirrors"]
        sources[part.source] += info["found"]
        dropped += info["dropped"]
    signed = sum(results[f"mirrors/{part.name}"].info["signed"] for part in plan.parts)
    return {
        "found": sources.total(),
        "dropped": dropped,
        "opted_out_signed": signed,
        "sources": {name: count for name, count in sources.items() if count},
    }
