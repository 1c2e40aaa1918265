"""The plan: a manifest as a graph of tasks, each with what it waits for.

    prepare ─> documents ─┬─> same ──────────────────┬─> decide ─> choose ─> keep ─> encode ─> layout ─> pack ─> ledger
                          └─> sign ─> … ─> sizes ────┘

`prepare` is a graph of its own where there is much to prepare (`preparing`); where a stage asks for copies of what it
drops, the steps of `mirroring` stand before `decide`; where one cuts passages, those of `cutting` before `encode`;
behind the ledger, and behind the mask of takedowns, comes its tree (`proof.graph`).

A node builds its task when all it waits for is done, since a task's key contains the digests of its inputs. The
shards are known only when everything is encoded and laid out: `packing` and `ledgers` are graphs of their own.
`joining` has the steps from sign to sizes, and from propose to limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.graph.annotating import annotate_nodes, is_placed, scored, scores_folder, scoring
from lauter.pipeline.graph.cutting import cuts_of, cutting_nodes, emptied_rows, kept_rows, last_kept
from lauter.pipeline.graph.joining import (
    LIMITS,
    choosing_nodes,
    clustered_names,
    copies_listing,
    copies_of,
    joining_nodes,
    losers_listing,
)
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.mirroring import found_mirrors, mirror_nodes, mirroring
from lauter.pipeline.graph.node import Joint, Node, Results, behind
from lauter.pipeline.graph.packing import LAID_OUT, Places, layout_nodes, packing_nodes, places_of
from lauter.pipeline.graph.parts import Part, parts
from lauter.pipeline.graph.preparing import Preparing, prepare_nodes, working_spec
from lauter.pipeline.graph.surveying import survey_nodes, surveyed_nodes, surveyed_outputs, surveying
from lauter.pipeline.manifest import Manifest, StageSpec
from lauter.pipeline.older import as_compared, older_parts
from lauter.pipeline.report.domains import crawled_sources
from lauter.pipeline.routing import passed, routes_of, shapes
from lauter.pipeline.specs import apply_spec, spec_class, stage_spec
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.streams import rule_of
from lauter.pipeline.task import Task

RANGES = ((64 << 20, 1), (64 << 30, 16), (16 << 40, 256))
"""(bytes of input files, ranges of keys of every exchange below that); 4,096 above. By the input alone, so that outputs
do not depend on the machine, and coarse, so that a file more seldom changes it. A task of nothing costs some 5 ms, and
the keys of 64 GB of compressed pages are 3 GB. 4,096 ranges: 15e12 tokens leave 1.6 GB of keys a range."""

MOST_RANGES = 4096


def ranges_of(size: int) -> int:
    """Ranges of keys for some bytes of input files."""
    return next((ranges for limit, ranges in RANGES if size < limit), MOST_RANGES)


class Plan:
    """The graph of a manifest over a run folder."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self.manifest, self.storage = manifest, storage
        self.parts = parts(manifest)
        self.partitions = manifest.sharding.ranges or ranges_of(sum(part.file.size for part in self.parts))
        self._digests = DigestCache(storage)
        self._listings = Listings(storage)
        self.routes = routes_of(manifest.stages)
        self.stages = [stage_spec(spec, self._digests) for spec in manifest.stages]
        self.working = [working_spec(spec, self._digests) for spec in manifest.stages]
        """The stages as `apply` sees them."""
        self.placed = [spec for spec in self.working if is_placed(spec)]
        """Those that have a step of their own."""
        self.barrier = stage_spec(manifest.barrier, self._digests) if manifest.barrier else None
        compared = as_compared(manifest.barrier) if manifest.barrier else None
        self.joining = apply_spec(stage_spec(compared, self._digests)) if compared else None
        """The stage that compares documents, as it sees them: without what only the choice among copies reads."""
        self.older = older_parts(manifest.barrier, len(self.parts))
        self.cutter = stage_spec(manifest.cutter, self._digests) if manifest.cutter else None
        self.mirroring = mirroring(self.stages) if self.barrier else ()
        self.surveying = surveying(self.stages)
        self.encoder = stage_spec(manifest.encoder, self._digests)
        self.crawled = crawled_sources({source.name: source.about for source in manifest.sources})
        """The sources whose domains the report lists."""
        self.prepared = [
            spec["name"]
            for spec, stage in zip(self.stages, manifest.stages, strict=True)
            if hasattr(stage.load(), "prepare")
        ]

    def save_digests(self) -> None:
        """Remember the digests of models and snapshots for the next run."""
        self._digests.save()

    def task(self, name: str, function: str, args: dict[str, Any]) -> Task:
        """A task of this build; `function` is a step, `module:function`."""
        return Task(name, f"lauter.pipeline.steps.{function}", self.storage.root, args, self.storage.token)

    def listing(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """Publish a list of outputs for tasks that read one slice of each; they are asked for once a plan."""
        return self._listings.publish(name, outputs)

    def all_stages(self) -> list[dict[str, Any]]:
        """Every stage in order: the one that joins all documents and the one that cuts passages last."""
        return [*self.stages, *(spec for spec in (self.barrier, self.cutter) if spec is not None)]

    def passed(self, specs: Sequence[dict[str, Any]], part: Part) -> list[dict[str, Any]]:
        """Those of some stages that the records of a part pass."""
        return passed(self.routes, specs, part.source)

    def listings(self) -> list[str]:
        """Paths of the lists that tasks of this plan read."""
        return self._listings.paths()

    def first_half(self) -> list[Node]:
        """Everything up to the encoded documents."""
        nodes = [node for stage in self.manifest.stages if stage.name in self.prepared for node in self._prepare(stage)]
        nodes.append(self._tokenizer())
        nodes += [self._documents(part) for part in self.parts]
        nodes += annotate_nodes(self)
        nodes += self.reducing("same", "same_record:run", "documents", "state/identity", self._identities)
        if self.barrier:
            nodes += joining_nodes(self)
        if self.mirroring:
            nodes += mirror_nodes(self, self.range_names())
        nodes += survey_nodes(self)
        decided = self._decided()
        nodes += [self._decide(part, decided) for part in self.parts]
        if self.barrier:
            nodes += choosing_nodes(self)
        nodes += [self._keep(part) for part in self.parts]
        nodes += cutting_nodes(self)
        nodes += [self._encode(part) for part in self.parts]
        nodes += layout_nodes(self)
        return nodes

    def _prepare(self, stage: StageSpec) -> list[Node]:
        return prepare_nodes(Preparing(stage, self.manifest.seed, self.task, self._listings, self._digests))

    def _tokenizer(self) -> Node:
        def build(results: Results) -> Task:
            return self.task("tokenizer/all", "tokenizer:run", {"encoder": self.encoder, "seed": self.manifest.seed})

        return Node("tokenizer/all", (), build)

    def _documents(self, part: Part) -> Node:
        after = tuple(f"prepare/{name}" for name in self.prepared)
        fused = [spec for spec in self.working if spec not in self.placed]
        own = self.passed(fused, part)
        prepared = () if part.planted else [spec["name"] for spec in own if spec["name"] in self.prepared]

        def build(results: Results) -> Task:
            return self.task(
                f"documents/{part.name}",
                "documents:run",
                {
                    "part": part.name,
                    "source": part.source,
                    "reader": dict(part.reader),
                    "file": part.described(),
                    "planted": part.planted,
                    "scores": scores_folder(self, part),
                    "stages": own,
                    "columns": shapes(fused),
                    "prepared": _prepared(results, prepared),
                    "seed": self.manifest.seed,
                },
            )

        return Node(f"documents/{part.name}", after, build)

    def outputs(self, results: Results, step: str, names: Sequence[str], folder: str) -> list[Output]:
        """What a step left in a folder, in the order of the names."""
        return [results[f"{step}/{name}"].output(folder) for name in names]

    def range_names(self) -> list[str]:
        """The names of the tasks of a step that has one for each range of keys."""
        return [f"{partition:05d}" for partition in range(self.partitions)]

    def reducing(
        self, step: str, function: str, before: str, folder: str, more: Callable[[int], dict[str, Any]]
    ) -> list[Node]:
        """A task for each range, which reads it of what every part wrote; `more(range)` is what it is told besides."""
        names = self.names()

        def building(number: int, name: str) -> Node:
            def build(results: Results) -> Task:
                listing = self.listing(folder.replace("/", "-"), lambda: self.outputs(results, before, names, folder))
                args = {"listing": listing, "partition": number, **more(number)}
                return self.task(f"{step}/{name}", function, args)

            return Node(f"{step}/{name}", after, build)

        after = behind(f"{before}/{part}" for part in names)
        return [building(number, name) for number, name in enumerate(self.range_names())]

    def _identities(self, _: int) -> dict[str, Any]:
        return {"partitions": self.partitions}

    def _same_listing(self, results: Results) -> str:
        return self.listing("state-same", lambda: self.outputs(results, "same", self.range_names(), "state/same"))

    def _decided(self) -> tuple[Joint]:
        """The tasks by range that every part's decisions wait for."""
        steps = ["same", *(("mirror-judge", "mirrored") if self.mirroring else ())]
        clustered = clustered_names(self) if self.barrier else []
        return behind(clustered, (f"{step}/{name}" for step in steps for name in self.range_names()))

    def _decide(self, part: Part, decided: tuple[Joint]) -> Node:
        after: list[str | Joint] = [scoring(self, part), *decided]
        own = [] if part.planted else self.passed(self.stages, part)
        soft = [spec for spec in own if hasattr(spec_class(spec), "decide")]
        after += surveyed_nodes(self, soft)
        prepared = [spec["name"] for spec in soft if spec["name"] in self.prepared]

        def build(results: Results) -> Task:
            done = results[f"documents/{part.name}"]
            return self.task(
                f"decide/{part.name}",
                "decide:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "priority": part.priority,
                    "documents": done.output("documents").to_json(),
                    "scores": scored(results, part.name).output("scores").to_json(),
                    "stages": soft,
                    "prepared": _prepared(results, prepared),
                    "surveyed": surveyed_outputs(self, results, soft),
                    "same": self._same_listing(results),
                    "copies": copies_of(self, results, part),
                    "mirrors": found_mirrors(self, results),
                    "seed": self.manifest.seed,
                },
            )

        return Node(f"decide/{part.name}", tuple(after), build)

    def _keep(self, part: Part) -> Node:
        after = [f"decide/{part.name}"]
        if self.barrier:
            after.append(LIMITS)

        def build(results: Results) -> Task:
            return self.task(
                f"keep/{part.name}",
                "keep:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "decisions": results[f"decide/{part.name}"].output("decisions").to_json(),
                    "same": self._same_listing(results),
                    "losers": losers_listing(self, results),
                    "copies": copies_listing(self, results),
                },
            )

        return Node(f"keep/{part.name}", tuple(after), build)

    def _encode(self, part: Part) -> Node:
        def build(results: Results) -> Task:
            return self.task(
                f"encode/{part.name}",
                "encode:run",
                {
                    "part": part.name,
                    "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                    "kept": kept_rows(self, results, part),
                    "cuts": cuts_of(self, results, part),
                    "encoder": self.encoder,
                    "streams": rule_of(self.manifest.streams, part.source, self.manifest.sharding.stream).to_json(),
                    "cells": self.manifest.sharding.cells,
                    "seed": self.manifest.seed,
                },
            )

        return Node(f"encode/{part.name}", (last_kept(self, part),), build)

    def packing(self, results: Results) -> list[Node]:
        """One task a shard, now that everything is encoded."""
        return packing_nodes(self, results)

    def ledgers(self, results: Results) -> list[Node]:
        """One task a part, now that every document has its place."""
        places = places_of(self, results)
        after = behind(node.name for node in places.nodes)
        return [*places.nodes, *(self._ledger(part, places, after) for part in self.parts)]

    def names(self) -> list[str]:
        """The names of the parts."""
        return [part.name for part in self.parts]

    def ready(self, name: str, function: str, args: dict[str, Any]) -> Node:
        """A node that waits for nothing."""
        return Node(name, (), lambda _: self.task(name, function, args))

    def _ledger(self, part: Part, places: Places, after: tuple[Joint]) -> Node:
        def build(results: Results) -> Task:
            args = {
                "part": part.name,
                "ordinal": part.ordinal,
                "source": part.source,
                "layout": results[LAID_OUT].output("state/layout").to_json(),
                "barrier": self.barrier["name"] if self.barrier else None,
                "records": results[f"documents/{part.name}"].output("state/records").to_json(),
                "decisions": results[f"decide/{part.name}"].output("decisions").to_json(),
                "same": self._same_listing(results),
                "losers": losers_listing(self, results),
                "emptied": emptied_rows(self, results, part),
                "positions": self.listing(
                    places.listing, lambda: [results[name].output(places.folder) for name in places.names]
                ),
            }
            return self.task(f"ledger/{part.name}", "ledger:run", args)

        return Node(f"ledger/{part.name}", after, build)


def _prepared(results: Results, stages: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Stage -> what it was prepared to."""
    return {name: [output.to_json() for output in results[f"prepare/{name}"].outputs] for name in stages}
