"""The plan: a manifest as a graph of tasks, each with what it waits for.

    prepare ─> documents ─┬─> same ────────────────────┬─> decide ─> choose ─> encode ─> pack ─> ledger
                          └─> emit ─> reduce ─> cluster ┘

A node builds its task when all it waits for is done, since a task's key contains the digests of its inputs. The
number of shards is known only when everything is encoded: the second half of the graph is built then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import xxhash

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.manifest import Manifest, StageSpec
from lauter.pipeline.storage import FileStat, Output, Storage
from lauter.pipeline.task import Result, Task

PARTITIONS = 16
"""Key ranges of every exchange. Fixed, so that outputs do not depend on the machine."""

Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Node:
    """A task to be: its name, the names it waits for, and how to build it from their results."""

    name: str
    after: tuple[str, ...]
    build: Callable[[Results], Task]


@dataclass(frozen=True, slots=True)
class Part:
    """One input file, and the name that all its outputs share."""

    ordinal: int
    name: str
    source: str
    priority: int
    reader: Mapping[str, Any]
    file: FileStat

    @property
    def file_name(self) -> str:
        """The file's own name, as the ledger shows it."""
        return PurePosixPath(self.file.uri).name


def parts(manifest: Manifest) -> list[Part]:
    """Every input file, in source order, then by URI. A part is named after its file, never after its place."""
    found: list[Part] = []
    taken: set[str] = set()
    for priority, source in enumerate(manifest.sources):
        reader = {"target": source.target, "config": dict(source.config)}
        for file in source.files:
            path = PurePosixPath(file.uri)
            name = f"{source.name}/{''.join(c if c.isalnum() or c in '-_.' else '-' for c in path.name)[:80]}"
            if name in taken:
                name = f"{name}-{xxhash.xxh3_64_hexdigest('/'.join(path.parts[-3:]).encode())[:8]}"
            while name in taken:
                name += "-again"
            taken.add(name)
            found.append(Part(len(found), name, source.name, priority, reader, file))
    return found


class Plan:
    """The graph of a manifest over a run folder."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self.manifest, self.storage = manifest, storage
        self.parts = parts(manifest)
        self._digests = DigestCache(storage)
        self.stages = [self._spec(spec) for spec in manifest.stages]
        self.barrier = self._spec(manifest.barrier) if manifest.barrier else None
        self.encoder = self._spec(manifest.encoder)
        self.prepared = [
            spec["name"]
            for spec, stage in zip(self.stages, manifest.stages, strict=True)
            if hasattr(stage.load(), "prepare")
        ]

    def save_digests(self) -> None:
        """Remember the digests of models and snapshots for the next run."""
        self._digests.save()

    def _spec(self, spec: StageSpec) -> dict[str, Any]:
        return {
            "name": spec.name,
            "target": spec.target,
            "version": spec.load().version,
            "config": dict(spec.config),
            "inputs": [self._digests.sha256(file) for file in spec.inputs],
            "python_path": spec.python_path,
        }

    def _map_spec(self, spec: dict[str, Any]) -> dict[str, Any]:
        """A stage as `apply` sees it: what only `decide` reads is left at its default, so it changes no key."""
        cls = StageSpec(spec["name"], spec["target"], {}, (), spec["python_path"]).load()
        fields = cls.decision_fields if hasattr(cls, "decision_fields") else frozenset()
        return {**spec, "config": {name: value for name, value in spec["config"].items() if name not in fields}}

    def _task(self, name: str, function: str, args: dict[str, Any]) -> Task:
        return Task(name, f"lauter.pipeline.steps.{function}", self.storage.root, args)

    def listing(self, name: str, outputs: Sequence[Output]) -> str:
        """Publish a list of outputs for tasks that read one slice of each; its name is its digest."""
        content = json.dumps([output.to_json() for output in outputs], sort_keys=True).encode()
        path = f"state/listings/{name}-{hashlib.sha256(content).hexdigest()[:24]}.json"
        if self.storage.size(path) != len(content):
            self.storage.write(path, content)
        return path

    def first_half(self) -> list[Node]:
        """Everything up to the encoded documents."""
        names = [part.name for part in self.parts]
        nodes = [self._prepare(spec) for spec in self.stages if spec["name"] in self.prepared]
        nodes.append(self._tokenizer())
        nodes += [self._documents(part) for part in self.parts]
        nodes += [self._same(partition, names) for partition in range(PARTITIONS)]
        if self.barrier:
            nodes += [self._emit(part) for part in self.parts]
            nodes += [self._reduce(partition, names) for partition in range(PARTITIONS)]
            nodes.append(self._cluster())
        nodes += [self._decide(part) for part in self.parts]
        if self.barrier:
            nodes += [self._choose(partition, names) for partition in range(PARTITIONS)]
        nodes += [self._encode(part) for part in self.parts]
        return nodes

    def _prepare(self, spec: dict[str, Any]) -> Node:
        name = f"prepare/{spec['name']}"

        def build(results: Results) -> Task:
            return self._task(name, "prepare:run", {"stage": self._map_spec(spec), "seed": self.manifest.seed})

        return Node(name, (), build)

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
                    "reader": {**part.reader, "version": _reader_version(part)},
                    "file": {
                        "uri": part.file.uri,
                        "name": part.file_name,
                        "size": part.file.size,
                        "mtime_ns": part.file.mtime_ns,
                    },
                    "stages": [self._map_spec(spec) for spec in self.stages],
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
        soft = [spec for spec in self.stages if hasattr(_class(spec), "decide")]

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

    def _encode(self, part: Part) -> Node:
        after = [f"decide/{part.name}"]
        if self.barrier:
            after += [f"choose/{name}" for name in self._partition_names()]

        def build(results: Results) -> Task:
            return self._task(
                f"encode/{part.name}",
                "encode:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "documents": results[f"documents/{part.name}"].output("documents").to_json(),
                    "decisions": results[f"decide/{part.name}"].output("decisions").to_json(),
                    "same": self._same_listing(results),
                    "losers": self._losers_listing(results),
                    "encoder": self.encoder,
                    "cells": self.manifest.sharding.cells,
                    "seed": self.manifest.seed,
                },
            )

        return Node(f"encode/{part.name}", tuple(after), build)

    def shard_cells(self, results: Results) -> list[tuple[int, int]]:
        """Runs of whole cells [first, end), one a shard, each closed when it reaches `tokens_per_shard`."""
        sharding = self.manifest.sharding
        totals = [0] * sharding.cells
        for part in self.parts:
            for cell, tokens in enumerate(results[f"encode/{part.name}"].info["cell_tokens"]):
                totals[cell] += tokens
        shards, first, held = [], 0, 0
        for cell, tokens in enumerate(totals):
            held += tokens
            if held >= sharding.tokens_per_shard:
                shards.append((first, cell + 1))
                first, held = cell + 1, 0
        if held or not shards:
            shards.append((first, sharding.cells))
        return shards

    def layout_id(self, cells: Sequence[tuple[int, int]]) -> str:
        """What a trainer's reading order depends on: seed, stream and shard borders; never digests."""
        sharding = self.manifest.sharding
        content = json.dumps([self.manifest.seed, sharding.stream, sharding.cells, list(cells)])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def second_half(self, first: Results) -> list[Node]:
        """Shards and ledger, now that the shard borders are known."""
        cells = self.shard_cells(first)
        layout = self.layout_id(cells)
        encoded = self.listing(
            "state-encoded", [first[f"encode/{part.name}"].output("state/encoded") for part in self.parts]
        )
        sources = [source.name for source in self.manifest.sources]
        nodes = []
        for shard, (start, end) in enumerate(cells):
            args = {
                "listing": encoded,
                "shard": shard,
                "first_cell": start,
                "end_cell": end,
                "stream": self.manifest.sharding.stream,
                "tokens_per_row_group": self.manifest.sharding.tokens_per_row_group,
                "sources": sources,
                "part_source": [part.priority for part in self.parts],
                "layout_id": layout,
                "tokenizer_digest": first["tokenizer/all"].info["sha256"],
            }
            task = self._task(f"pack/{shard:05d}", "pack:run", args)
            nodes.append(Node(task.name, (), lambda _, task=task: task))  # type: ignore[misc]
        shards = [f"{shard:05d}" for shard in range(len(cells))]
        return nodes + [self._ledger(part, first, shards) for part in self.parts]

    def _ledger(self, part: Part, first: Results, shards: list[str]) -> Node:
        def build(results: Results) -> Task:
            return self._task(
                f"ledger/{part.name}",
                "ledger:run",
                {
                    "part": part.name,
                    "ordinal": part.ordinal,
                    "source": part.source,
                    "stream": self.manifest.sharding.stream,
                    "barrier": self.barrier["name"] if self.barrier else None,
                    "records": first[f"documents/{part.name}"].output("state/records").to_json(),
                    "decisions": first[f"decide/{part.name}"].output("decisions").to_json(),
                    "same": self._same_listing(first),
                    "losers": self._losers_listing(first),
                    "positions": self.listing(
                        "state-positions", self._outputs(results, "pack", shards, "state/positions")
                    ),
                },
            )

        return Node(f"ledger/{part.name}", tuple(f"pack/{name}" for name in shards), build)


def _class(spec: Mapping[str, Any]) -> type[Any]:
    return StageSpec(spec["name"], spec["target"], {}, (), spec["python_path"]).load()


def _reader_version(part: Part) -> int:
    version: int = StageSpec("", part.reader["target"], {}).load().version
    return version
