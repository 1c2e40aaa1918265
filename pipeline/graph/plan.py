"""The plan: a manifest as a graph of tasks, each with what it waits for.

    prepare ─> documents ─┬─> same ────────────────────┬─> decide ─> choose ─> keep ─> encode ─> pack ─> ledger
                          └─> emit ─> reduce ─> cluster ┘

`prepare` is a graph of its own where there is much to prepare (`preparing`); where a stage asks for copies of what it
drops, the steps of `mirroring` stand before `decide`; behind the ledger, and behind the mask of takedowns, comes its
tree (`proof.graph`).

A node builds its task when all it waits for is done, since a task's key contains the digests of its inputs. The
number of shards is known only when everything is encoded: `packing` and `ledgers` are graphs of their own. `joining`
has the steps from emit to cluster and `choose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.graph.joining import CLUSTERED, choosing_nodes, joining_nodes, losers_listing
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.mirroring import found_mirrors, mirror_nodes, mirroring
from lauter.pipeline.graph.node import Node, Results
from lauter.pipeline.graph.packing import packing_nodes, shard_cells
from lauter.pipeline.graph.parts import Part, parts
from lauter.pipeline.graph.preparing import Preparing, prepare_nodes, working_spec
from lauter.pipeline.graph.surveying import survey_nodes, surveyed_nodes, surveyed_outputs, surveying
from lauter.pipeline.manifest import Manifest, StageSpec
from lauter.pipeline.specs import spec_class, stage_spec
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task

PARTITIONS = 16
"""Key ranges of every exchange. Fixed, so that outputs do not depend on the machine."""


class Plan:
    """The graph of a manifest over a run folder."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self.manifest, self.storage = manifest, storage
        self.parts = parts(manifest)
        self.partitions = PARTITIONS
        self._digests = DigestCache(storage)
        self._listings = Listings(storage)
        self.stages = [stage_spec(spec, self._digests) for spec in manifest.stages]
        self.working = [working_spec(spec, self._digests) for spec in manifest.stages]
        """The stages as `apply` sees them."""
        self.barrier = stage_spec(manifest.barrier, self._digests) if manifest.barrier else None
        self.mirroring = mirroring(self.stages) if self.barrier else ()
        self.surveying = surveying(self.stages)
        self.encoder = stage_spec(manifest.encoder, self._digests)
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

    def listing(self, name: str, outputs: Sequence[Output]) -> str:
        """Publish a list of outputs for tasks that read one slice of each."""
        return self._listings.publish(name, outputs)

    def all_stages(self) -> list[dict[str, Any]]:
        """Every stage in order, the one that joins all documents last."""
        return [*self.stages, *([self.barrier] if self.barrier else [])]

    def listings(self) -> list[str]:
        """Paths of the lists that tasks of this plan read."""
        return self._listings.paths()

    def first_half(self) -> list[Node]:
        """Everything up to the encoded documents."""
        names = self.names()
        nodes = [node for stage in self.manifest.stages if stage.name in self.prepared for node in self._prepare(stage)]
        nodes.append(self._tokenizer())
        nodes += [self._documents(part) for part in self.parts]
        nodes += [self._same(partition, names) for partition in range(self.partitions)]
        if self.barrier:
            nodes += joining_nodes(self)
        if self.mirroring:
            nodes += mirror_nodes(self, self.range_names())
        nodes += survey_nodes(self)
        nodes += [self._decide(part) for part in self.parts]
        if self.barrier:
            nodes += choosing_nodes(self)
        nodes += [self._keep(part) for part in self.parts]
        nodes += [self._encode(part) for part in self.parts]
        return nodes

    def _prepare(self, stage: StageSpec) -> list[Node]:
        return prepare_nodes(Preparing(stage, self.manifest.seed, self.task, self._listings, self._digests))

    def _tokenizer(self) -> Node:
        def build(results: Results) -> Task:
            return self.task("tokenizer/all", "tokenizer:run", {"encoder": self.encoder, "seed": self.manifest.seed})

        return Node("tokenizer/all", (), build)

    def _documents(self, part: Part) -> Node:
        prepared = () if part.planted else self.prepared
        after = tuple(f"prepare/{name}" for name in prepared)

        def build(results: Results) -> Task:
            return self.task(
                f"documents/{part.name}",
                "documents:run",
                {
                    "part": part.name,
                    "source": part.source,
                    "reader": dict(part.reader),
                    "file": part.described(),
                    "stages": [] if part.planted else self.working,
                    "prepared": _prepared(results, prepared),
                    "seed": self.manifest.seed,
                    "partitions": self.partitions,
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
        self, step: str, function: str, before: str, folder: str, partition: int, names: list[str], more: dict[str, Any]
    ) -> Node:
        """A task that reads one partition of what every part wrote."""
        name = f"{step}/{partition:05d}"

        def build(results: Results) -> Task:
            listing = self.listing(folder.replace("/", "-"), self.outputs(results, before, names, folder))
            return self.task(name, function, {"listing": listing, "partition": partition, **more})

        return Node(name, tuple(f"{before}/{part}" for part in names), build)

    def _same(self, partition: int, names: list[str]) -> Node:
        return self.reducing("same", "same_record:run", "documents", "state/identity", partition, names, {})

    def _same_listing(self, results: Results) -> str:
        return self.listing("state-same", self.outputs(results, "same", self.range_names(), "state/same"))

    def _decide(self, part: Part) -> Node:
        after = [f"documents/{part.name}", *(f"same/{name}" for name in self.range_names())]
        if self.barrier:
            after.append(CLUSTERED)
        if self.mirroring:
            after.append("mirrored/all")
        soft = [spec for spec in self.stages if hasattr(spec_class(spec), "decide") and not part.planted]
        if soft:
            after += surveyed_nodes(self)
        prepared = [spec["name"] for spec in soft if spec["name"] in self.prepared]

        def build(results: Results) -> Task:
            done = results[f"documents/{part.name}"]
            clusters = results[CLUSTERED].output("state/clusters").to_json() if self.barrier else None
            return self.task(
                f"decide/{part.name}",
                "decide:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "priority": part.priority,
                    "documents": done.output("documents").to_json(),
                    "scores": done.output("scores").to_json(),
                    "stages": soft,
                    "prepared": _prepared(results, prepared),
                    "surveyed": surveyed_outputs(self, results) if soft else {},
                    "same": self._same_listing(results),
                    "clusters": clusters,
                    "mirrors": found_mirrors(self, results),
                    "seed": self.manifest.seed,
                    "partitions": self.partitions,
                },
            )

        return Node(f"decide/{part.name}", tuple(after), build)

    def _keep(self, part: Part) -> Node:
        after = [f"decide/{part.name}"]
        if self.barrier:
            after += [f"choose/{name}" for name in self.range_names()]

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
                    "kept": results[f"keep/{part.name}"].output("state/kept").to_json(),
                    "encoder": self.encoder,
                    "cells": self.manifest.sharding.cells,
                    "seed": self.manifest.seed,
                },
            )

        return Node(f"encode/{part.name}", (f"keep/{part.name}",), build)

    def packing(self, results: Results) -> list[Node]:
        """One task a shard, now that everything is encoded."""
        return packing_nodes(self, results)

    def ledgers(self, results: Results) -> list[Node]:
        """One task a part, now that every document has its place."""
        shards = [f"{shard:05d}" for shard in range(len(shard_cells(self, results)))]
        positions = self.listing("state-positions", self.outputs(results, "pack", shards, "state/positions"))
        return [self._ledger(part, results, positions) for part in self.parts]

    def names(self) -> list[str]:
        """The names of the parts."""
        return [part.name for part in self.parts]

    def ready(self, name: str, function: str, args: dict[str, Any]) -> Node:
        """A node that waits for nothing."""
        return Node(name, (), lambda _: self.task(name, function, args))

    def _ledger(self, part: Part, results: Results, positions: str) -> Node:
        return self.ready(
            f"ledger/{part.name}",
            "ledger:run",
            {
                "part": part.name,
                "ordinal": part.ordinal,
                "source": part.source,
                "stream": self.manifest.sharding.stream,
                "barrier": self.barrier["name"] if self.barrier else None,
                "records": results[f"documents/{part.name}"].output("state/records").to_json(),
                "decisions": results[f"decide/{part.name}"].output("decisions").to_json(),
                "same": self._same_listing(results),
                "losers": losers_listing(self, results),
                "positions": positions,
            },
        )


def _prepared(results: Results, stages: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Stage -> what it was prepared to."""
    return {name: [output.to_json() for output in results[f"prepare/{name}"].outputs] for name in stages}
