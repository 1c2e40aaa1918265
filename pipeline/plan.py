"""The plan: a manifest as a graph of tasks, each with what it waits for.

    prepare ─> documents ─┬─> same ────────────────────┬─> decide ─> choose ─> keep ─> encode ─> pack ─> ledger
                          └─> emit ─> reduce ─> cluster ┘

`prepare` is a graph of its own where there is much to prepare (`preparing`); where a stage asks for copies of what it
drops, the steps of `mirroring` stand before `decide`; behind the ledger, and behind the mask of takedowns, comes its
tree (`proof.graph`).

A node builds its task when all it waits for is done, since a task's key contains the digests of its inputs. The
number of shards is known only when everything is encoded: `packing` and `ledgers` are graphs of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.listings import Listings
from lauter.pipeline.manifest import Manifest, StageSpec
from lauter.pipeline.mirroring import found_mirrors, mirror_nodes, mirroring
from lauter.pipeline.node import Node, Results
from lauter.pipeline.parts import Part, parts
from lauter.pipeline.preparing import Preparing, prepare_nodes, working_spec
from lauter.pipeline.specs import spec_class, stage_spec
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.task import Task

PARTITIONS = 16
"""Key ranges of every exchange. Fixed, so that outputs do not depend on the machine."""

SORT_TOKENS = 1 << 23
"""Tokens that are sorted together while a shard is packed: 32 MB of ids. Cells are read in such runs, since opening
every part's file for every cell costs more than the sorting."""


def runs(totals: Sequence[int], first: int, end: int, target: int) -> list[tuple[int, int]]:
    """Cut [first, end) into runs of whole cells, each closed when it holds `target` tokens; at least one run.

    >>> runs([5, 0, 7, 1], 0, 4, 6)
    [(0, 3), (3, 4)]
    """
    found, start, held = [], first, 0
    for cell in range(first, end):
        held += totals[cell]
        if held >= target:
            found.append((start, cell + 1))
            start, held = cell + 1, 0
    if held or not found:
        found.append((start, end))
    return found


class Plan:
    """The graph of a manifest over a run folder."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self.manifest, self.storage = manifest, storage
        self.parts = parts(manifest)
        self._digests = DigestCache(storage)
        self._listings = Listings(storage)
        self.stages = [stage_spec(spec, self._digests) for spec in manifest.stages]
        self.working = [working_spec(spec, self._digests) for spec in manifest.stages]
        """The stages as `apply` sees them."""
        self.barrier = stage_spec(manifest.barrier, self._digests) if manifest.barrier else None
        self.mirroring = mirroring(self.stages) if self.barrier else ()
        self.encoder = stage_spec(manifest.encoder, self._digests)
        self.prepared = [
            spec["name"]
            for spec, stage in zip(self.stages, manifest.stages, strict=True)
            if hasattr(stage.load(), "prepare")
        ]

    def save_digests(self) -> None:
        """Remember the digests of models and snapshots for the next run."""
        self._digests.save()

    def _task(self, name: str, function: str, args: dict[str, Any]) -> Task:
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
        names = self._names()
        nodes = [node for stage in self.manifest.stages if stage.name in self.prepared for node in self._prepare(stage)]
        nodes.append(self._tokenizer())
        nodes += [self._documents(part) for part in self.parts]
        nodes += [self._same(partition, names) for partition in range(PARTITIONS)]
        if self.barrier:
            nodes += [self._emit(part) for part in self.parts]
            nodes += [self._reduce(partition, names) for partition in range(PARTITIONS)]
            nodes.append(self._cluster())
        if self.mirroring:
            nodes += mirror_nodes(self, self._partition_names())
        nodes += [self._decide(part) for part in self.parts]
        if self.barrier:
            nodes += [self._choose(partition, names) for partition in range(PARTITIONS)]
        nodes += [self._keep(part) for part in self.parts]
        nodes += [self._encode(part) for part in self.parts]
        return nodes

    def _prepare(self, stage: StageSpec) -> list[Node]:
        return prepare_nodes(Preparing(stage, self.manifest.seed, self._task, self._listings, self._digests))

    def _tokenizer(self) -> Node:
        def build(results: Results) -> Task:
            return self._task("tokenizer/all", "tokenizer:run", {"encoder": self.encoder, "seed": self.manifest.seed})

        return Node("tokenizer/all", (), build)

    def _documents(self, part: Part) -> Node:
        after = tuple(f"prepare/{name}" for name in self.prepared)

        def build(results: Results) -> Task:
            return self._task(
                f"documents/{part.name}",
                "documents:run",
                {
                    "part": part.name,
                    "source": part.source,
                    "reader": dict(part.reader),
                    "file": part.described(),
                    "stages": self.working,
                    "prepared": {
                        name: [output.to_json() for output in results[f"prepare/{name}"].outputs]
                        for name in self.prepared
                    },
                    "seed": self.manifest.seed,
                    "partitions": PARTITIONS,
                },
            )

        return Node(f"documents/{part.name}", after, build)

    def _outputs(self, results: Results, step: str, names: Sequence[str], folder: str) -> list[Output]:
        return [results[f"{step}/{name}"].output(folder) for name in names]

    def _partition_names(self) -> list[str]:
        return [f"{partition:05d}" for partition in range(PARTITIONS)]

    def _reducing(
        self, step: str, function: str, before: str, folder: str, partition: int, names: list[str], more: dict[str, Any]
    ) -> Node:
        """A task that reads one partition of what every part wrote."""
        name = f"{step}/{partition:05d}"

        def build(results: Results) -> Task:
            listing = self.listing(folder.replace("/", "-"), self._outputs(results, before, names, folder))
            return self._task(name, function, {"listing": listing, "partition": partition, **more})

        return Node(name, tuple(f"{before}/{part}" for part in names), build)

    def _same(self, partition: int, names: list[str]) -> Node:
        return self._reducing("same", "same_record:run", "documents", "state/identity", partition, names, {})

    def _emit(self, part: Part) -> Node:
        def build(results: Results) -> Task:
            return self._task(
                f"emit/{part.name}",
                "cluster:emit",
                {
                    "part": part.name,
                    "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                    "stage": self.barrier,
                    "seed": self.manifest.seed,
                    "partitions": PARTITIONS,
                },
            )

        return Node(f"emit/{part.name}", (f"documents/{part.name}",), build)

    def _reduce(self, partition: int, names: list[str]) -> Node:
        more = {"stage": self.barrier, "seed": self.manifest.seed}
        return self._reducing("reduce", "cluster:reduce", "emit", "state/keys", partition, names, more)

    def _cluster(self) -> Node:
        names = self._partition_names()

        def build(results: Results) -> Task:
            listing = self.listing("state-edges", self._outputs(results, "reduce", names, "state/edges"))
            args = {"listing": listing, "stage": self.barrier, "seed": self.manifest.seed, "parts": len(self.parts)}
            return self._task("cluster/all", "cluster:cluster", args)

        return Node("cluster/all", tuple(f"reduce/{name}" for name in names), build)

    def _same_listing(self, results: Results) -> str:
        return self.listing("state-same", self._outputs(results, "same", self._partition_names(), "state/same"))

    def _decide(self, part: Part) -> Node:
        after = [f"documents/{part.name}", *(f"same/{name}" for name in self._partition_names())]
        if self.barrier:
            after.append("cluster/all")
        if self.mirroring:
            after.append("mirrored/all")
        soft = [spec for spec in self.stages if hasattr(spec_class(spec), "decide")]

        def build(results: Results) -> Task:
            done = results[f"documents/{part.name}"]
            clusters = results["cluster/all"].output("state/clusters").to_json() if self.barrier else None
            return self._task(
                f"decide/{part.name}",
                "decide:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "priority": part.priority,
                    "documents": done.output("documents").to_json(),
                    "scores": done.output("scores").to_json(),
                    "stages": soft,
                    "same": self._same_listing(results),
                    "clusters": clusters,
                    "mirrors": found_mirrors(self, results),
                    "seed": self.manifest.seed,
                    "partitions": PARTITIONS,
                },
            )

        return Node(f"decide/{part.name}", tuple(after), build)

    def _choose(self, partition: int, names: list[str]) -> Node:
        return self._reducing("choose", "choose:run", "decide", "state/candidates", partition, names, {})

    def _losers_listing(self, results: Results) -> str | None:
        if not self.barrier:
            return None
        return self.listing("state-losers", self._outputs(results, "choose", self._partition_names(), "state/losers"))

    def _keep(self, part: Part) -> Node:
        after = [f"decide/{part.name}"]
        if self.barrier:
            after += [f"choose/{name}" for name in self._partition_names()]

        def build(results: Results) -> Task:
            return self._task(
                f"keep/{part.name}",
                "keep:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "decisions": results[f"decide/{part.name}"].output("decisions").to_json(),
                    "same": self._same_listing(results),
                    "losers": self._losers_listing(results),
                },
            )

        return Node(f"keep/{part.name}", tuple(after), build)

    def _encode(self, part: Part) -> Node:
        def build(results: Results) -> Task:
            return self._task(
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

    def _cell_tokens(self, results: Results) -> list[int]:
        totals = [0] * self.manifest.sharding.cells
        for part in self.parts:
            for cell, tokens in results[f"encode/{part.name}"].info["cell_tokens"].items():
                totals[int(cell)] += tokens
        return totals

    def shard_cells(self, results: Results) -> list[tuple[int, int]]:
        """Runs of whole cells [first, end), one a shard, each closed when it reaches `tokens_per_shard`.

        Raises `StorageError` where one cell alone is larger than a shard may be: a cell is sorted in memory.
        """
        sharding = self.manifest.sharding
        totals = self._cell_tokens(results)
        if max(totals) > sharding.tokens_per_shard and sum(totals) > sharding.cells * sharding.tokens_per_shard:
            raise StorageError(
                f"{sum(totals):,} tokens do not fit {sharding.cells} shards of {sharding.tokens_per_shard:,}: raise "
                "`sharding.cells` in the manifest (a power of two above the number of shards) and build again"
            )
        return runs(totals, 0, sharding.cells, sharding.tokens_per_shard)

    def layout_id(self, cells: Sequence[tuple[int, int]]) -> str:
        """What a trainer's reading order depends on: seed, stream and shard borders; never digests."""
        sharding = self.manifest.sharding
        content = json.dumps([self.manifest.seed, sharding.stream, sharding.cells, list(cells)])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def packing(self, results: Results) -> list[Node]:
        """One task a shard, now that the shard borders are known."""
        cells, totals = self.shard_cells(results), self._cell_tokens(results)
        args = {
            "listing": self.listing("state-encoded", self._outputs(results, "encode", self._names(), "state/encoded")),
            "stream": self.manifest.sharding.stream,
            "tokens_per_row_group": self.manifest.sharding.tokens_per_row_group,
            "sources": [source.name for source in self.manifest.sources],
            "part_source": [part.priority for part in self.parts],
            "layout_id": self.layout_id(cells),
            "tokenizer_digest": results["tokenizer/all"].info["sha256"],
        }
        return [
            self._ready(
                f"pack/{shard:05d}",
                "pack:run",
                {**args, "shard": shard, "cell_groups": runs(totals, start, end, SORT_TOKENS)},
            )
            for shard, (start, end) in enumerate(cells)
        ]

    def ledgers(self, results: Results) -> list[Node]:
        """One task a part, now that every document has its place."""
        shards = [f"{shard:05d}" for shard in range(len(self.shard_cells(results)))]
        positions = self.listing("state-positions", self._outputs(results, "pack", shards, "state/positions"))
        return [self._ledger(part, results, positions) for part in self.parts]

    def _names(self) -> list[str]:
        return [part.name for part in self.parts]

    def _ready(self, name: str, function: str, args: dict[str, Any]) -> Node:
        """A node that waits for nothing."""
        return Node(name, (), lambda _: self._task(name, function, args))

    def _ledger(self, part: Part, results: Results, positions: str) -> Node:
        return self._ready(
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
                "losers": self._losers_listing(results),
                "positions": positions,
            },
        )
