"""Step `layout`: which streams there are, and where each is cut into shards.

One task, for the borders of a stream depend on all parts; what they have was added up by runs (`shares`). It reads the
sums of the runs one stream at a time, and holds 8 bytes for each cell of each stream of the corpus: 157 MB for 300
streams of 65,536 cells. Which part has which stream passes through a run of an exchange file, 150 MB however many.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import HOLDERS
from lauter.pipeline.steps.shares import read_sums
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

SORT_TOKENS = 1 << 23
"""Tokens that are sorted together while a shard is packed: 32 MB of ids. Cells are read in such runs, since opening
every part's file for every cell costs more than the sorting."""

STREAMS = "state/layout/streams.json"
"""The layout: `layout_id`, and `streams` in order of name, each with its shards as ranges of cells, and the runs of
cells in which each shard is packed."""


def run(task: Task, storage: Storage) -> Result:
    """Lay out the shards; raises `BuildStopped` where a stream outgrows the cells that there are."""
    args = task.args
    cells: int = args["cells"]
    totals: dict[str, NDArray[np.int64]] = {}
    names = [read_sums(storage, output.path, totals, cells) for output in listing(storage, args["sums"])]
    # A corpus without a document has one stream and in it one shard, so that its form is that of any other.
    order = sorted(totals) or [args["stream"]]
    streams: list[dict[str, Any]] = []
    for name in order:
        total = totals[name].tolist() if name in totals else [0] * cells
        _check_size(name, total, args["tokens_per_shard"])
        shards = runs(total, 0, cells, args["tokens_per_shard"])
        cell_groups = [runs(total, first, end, SORT_TOKENS) for first, end in shards]
        streams.append({"name": name, "tokens": sum(total), "shards": shards, "cell_groups": cell_groups})
    layout = layout_id(args["seed"], cells, [(stream["name"], stream["shards"]) for stream in streams])
    held = [output.path for output in listing(storage, args["held"])]
    outputs = (
        storage.write_json(STREAMS, {"layout_id": layout, "streams": streams}),
        _holders(storage, list(zip(held, names, strict=True)), {name: number for number, name in enumerate(order)}),
    )
    return Result(outputs, {"streams": len(order), "shards": sum(len(stream["shards"]) for stream in streams)})


def _holders(storage: Storage, runs: Sequence[tuple[str, Sequence[str]]], numbers: Mapping[str, int]) -> Output:
    """Put together what (file, streams) of each run say of who has a stream, by the streams' numbers in the layout."""
    path = "state/holders/holders.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, HOLDERS)
        for held, names in runs:
            # Runs come in order of parts, and their rows do: so does each stream's.
            for stream, batch in exchange.parted_messages(storage, held, HOLDERS):
                number = numbers[names[stream]]
                sink.write(pa.Table.from_batches([batch]), np.full(batch.num_rows, number, np.int64))
        sink.close()
        return exchange.describe(staged, path, sink.rows)


def _check_size(name: str, totals: Sequence[int], tokens_per_shard: int) -> None:
    # One cell alone may be larger than a shard should be: a document is not cut.
    if max(totals) > tokens_per_shard and sum(totals) > len(totals) * tokens_per_shard:
        raise BuildStopped(
            f"{sum(totals):,} tokens of stream {name} do not fit {len(totals)} shards of {tokens_per_shard:,}: raise "
            "`sharding.cells` in the manifest (a power of two above the number of shards) and build again"
        )


def runs(totals: Sequence[int], first: int, end: int, target: int) -> list[tuple[int, int]]:
    """Cut [first, end) into runs of whole cells, each closed when it holds `target` tokens; at least one run.

    >>> runs([5, 0, 7, 1], 0, 4, 6)
    [(0, 3), (3, 4)]
    """
    found, start, held = [], first, 0
    # Most streams of many are small, and would pay for every cell.
    if sum(totals[first:end]) < target:
        return [(first, end)]
    for cell in range(first, end):
        held += totals[cell]
        if held >= target:
            found.append((start, cell + 1))
            start, held = cell + 1, 0
    if held or not found:
        found.append((start, end))
    return found


def layout_id(seed: int, cells: int, streams: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> str:
    """What a trainer's reading order depends on: seed, streams and shard borders; never digests."""
    if len(streams) == 1:
        ((name, shards),) = streams
        content = json.dumps([seed, name, cells, shards])
    else:
        content = json.dumps([seed, cells, streams])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
