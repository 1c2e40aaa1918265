"""How large a build is: each source's files and what they hold, as they are or scaled, and the tasks of each step."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lauter.pipeline.cost.rates import Rates, SourceRates, Spent
from lauter.pipeline.digests import DigestCache
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.graph.preparing import Preparing, prepare_nodes
from lauter.pipeline.manifest import Manifest, Source
from lauter.pipeline.storage import FileStat, Storage
from lauter.pipeline.task import Task

FILE_BYTES = 512 << 20
"""Size of the files of a source that is scaled up, where those at hand are smaller: nobody keeps 10^7 small files."""
TELLING_BYTES = 256 << 10
"""Bytes that must have been sampled of a kind, for it to speak for another source."""
COUNTED_FILES = 4
"""Files of a source in the plan whose tasks are counted; a step has one for each, or a number that hangs on bytes."""

COUNTED_RANGES = (16, 32)
"""Ranges of keys with which tasks are counted where there are more: no step has its own number of them above 16."""


@dataclass(frozen=True, slots=True)
class Size:
    """One source as the forecast takes it. Bytes are of files as they lie, and of payloads or texts in them."""

    name: str
    like: tuple[str, ...]
    """The sampled sources whose rates are taken for it."""
    basis: str
    """`files`, `expect`, or `none` where nobody knows how large it is."""
    files: int
    file_bytes: float
    payload_bytes: float
    records: float
    documents: float
    tokens: float

    def times(self, factor: float) -> Size:
        """So many times as much; where that is more, in files of a usual size."""
        file_bytes = self.file_bytes * factor
        files = self.files
        if factor > 1:
            usual = max(FILE_BYTES, self.file_bytes / max(1, files))
            files = max(files, -int(-file_bytes // usual))
        return replace(
            self,
            files=files,
            file_bytes=file_bytes,
            payload_bytes=self.payload_bytes * factor,
            records=self.records * factor,
            documents=self.documents * factor,
            tokens=self.tokens * factor,
        )


def sizes(manifest: Manifest, rates: Rates) -> list[Size]:
    """Every source, by its files, else by what its `expect` says."""
    return [_size(source, rates) for source in manifest.sources]


def alike(source: Source, rates: Rates) -> list[SourceRates]:
    """The sampled sources that speak for one: itself, else all of its kind if they are large enough, else all."""
    same = [item for item in rates.sources if (item.name, item.kind) == (source.name, source.kind)]
    of_kind = [item for item in rates.sources if item.kind == source.kind]
    enough = sum(item.taken_bytes for item in of_kind) >= TELLING_BYTES
    return same or (of_kind if enough else list(rates.sources))


def pooled(items: Sequence[SourceRates]) -> SourceRates:
    """Several sampled sources as one."""
    return SourceRates(
        name="+".join(item.name for item in items),
        kind="+".join(sorted({item.kind for item in items})),
        files=sum(item.files for item in items),
        file_bytes=sum(item.file_bytes for item in items),
        records=sum(item.records for item in items),
        payload_bytes=sum(item.payload_bytes for item in items),
        read=sum((item.read for item in items), Spent()),
        taken_bytes=sum(item.taken_bytes for item in items),
        documents=sum(item.documents for item in items),
        tokens=sum(item.tokens for item in items),
    )


def _size(source: Source, rates: Rates) -> Size:
    items = alike(source, rates)
    one = pooled(items)
    per_payload = one.file_bytes / max(1, one.payload_bytes)
    expect, files = source.expect, [file for file in source.files if file.size]
    if files:
        basis, count, file_bytes = "files", len(files), float(sum(file.size for file in files))
    else:
        basis, count = ("expect", 0) if expect else ("none", 0)
        if "tokens" in expect:
            payload = expect["tokens"] * one.taken_bytes / max(1, one.tokens)
        elif "documents" in expect:
            payload = expect["documents"] * one.taken_bytes / max(1, one.documents)
        else:
            payload = expect.get("bytes", 0) / per_payload
        file_bytes = float(expect.get("bytes", payload * per_payload))
    payload = file_bytes / per_payload
    found = Size(
        name=source.name,
        like=tuple(item.name for item in items),
        basis=basis,
        files=count,
        file_bytes=file_bytes,
        payload_bytes=payload,
        records=payload * one.records / max(1, one.payload_bytes),
        documents=payload * one.documents / max(1, one.taken_bytes),
        tokens=payload * one.tokens / max(1, one.taken_bytes),
    )
    if basis == "expect":
        # What it says counts, and not what the rates make of another number that it says.
        documents, tokens = expect.get("documents", found.documents), expect.get("tokens", found.tokens)
        usual = -int(-file_bytes // FILE_BYTES)
        return replace(found, files=usual, documents=float(documents), tokens=float(tokens))
    return found


def task_counts(manifest: Manifest, found: Sequence[Size]) -> Counter[str]:
    """Step -> tasks that the plan would have over files of these sizes, but for those that stand for one file each.

    No file is read but what stages are prepared from, if that is little.
    """
    # Digests of models and snapshots name no task.
    bare = replace(
        manifest,
        sources=tuple(_hypothetical(source, size) for source, size in zip(manifest.sources, found, strict=True)),
        stages=tuple(replace(stage, inputs=()) for stage in manifest.stages),
        barrier=replace(manifest.barrier, inputs=()) if manifest.barrier else None,
        cutter=replace(manifest.cutter, inputs=()) if manifest.cutter else None,
        encoder=replace(manifest.encoder, inputs=()),
    )
    with tempfile.TemporaryDirectory(prefix="lauter-plan-") as folder:
        storage = Storage(folder)
        ranges = Plan(bare, storage).partitions
        few, more = COUNTED_RANGES
        if ranges <= more:
            counts = _counted(bare, storage, ranges)
        else:
            # A graph of 4,096 ranges takes seconds to make, and its steps have tasks for each range or they have not.
            less = _counted(bare, storage, few)
            counts = _counted(bare, storage, more)
            for step in counts:
                counts[step] += (counts[step] - less[step]) * (ranges - more) // (more - few)
        return counts + _preparing(manifest, storage)


def _counted(manifest: Manifest, storage: Storage, ranges: int) -> Counter[str]:
    """Tasks by step with so many ranges, but for those that prepare."""
    sharding = manifest.sharding.model_copy(update={"ranges": ranges})
    nodes = Plan(replace(manifest, sharding=sharding), storage).first_half()
    steps = Counter(node.name.split("/", 1)[0] for node in nodes)
    return Counter({step: count for step, count in steps.items() if not step.startswith("prepare")})


def _preparing(manifest: Manifest, storage: Storage) -> Counter[str]:
    """Tasks of what stages prepare, by step."""

    def task(name: str, function: str, args: dict[str, Any]) -> Task:
        return Task(name, function, storage.root, args)

    digests, listings = DigestCache(storage), Listings(storage)
    nodes = [
        node
        for stage in manifest.stages
        if hasattr(stage.load(), "prepare")
        for node in prepare_nodes(Preparing(stage, manifest.seed, task, listings, digests))
    ]
    return Counter(node.name.split("/", 1)[0] for node in nodes)


def _hypothetical(source: Source, size: Size) -> Source:
    count = min(COUNTED_FILES, size.files)
    each = int(size.file_bytes / max(1, count))
    return replace(source, files=tuple(FileStat(f"/{source.name}/{number:05d}", each, 0) for number in range(count)))
