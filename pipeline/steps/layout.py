"""Step `layout`: which streams there are, and where each is cut into shards.

One task, for the borders of a stream depend on all parts. It reads what `encode` counted, one part after the other: 16
bytes for each cell of each stream that a part has, and holds 8 bytes for each cell of each stream of the corpus, and
12 for each stream of each part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import HOLDERS
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

SORT_TOKENS = 1 << 23
"""Tokens that are sorted together while a shard is packed: 32 MB of ids. Cells are read in such runs, since opening
every part's file for every cell costs more than the sorting."""

STREAMS = "state/layout/streams.json"
"""The layout: `layout_id`, and `streams` in order of name, each with its shards as ranges of cells, and the runs of
cells in which each shard is packed."""


def run(task: Task, storage: Storage) -> Result:
    """Lay out the shards; raises `StorageError` where a stream outgrows the cells that there are."""
    args = task.args
    totals: dict[str, NDArray[np.int64]] = {}
    held: dict[str, list[tuple[int, int, int]]] = {}
    for part, output in enumerate(listing(storage, args["listing"])):
        with storage.open(output.path) as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        number = batch.column("stream").indices.to_numpy()
        cell, tokens = batch.column("cell").to_numpy(), batch.column("tokens").to_numpy().astype(np.int64)
        for local, name in enumerate(batch.column("stream").dictionary.to_pylist()):
            total = totals.setdefault(name, np.zeros(args["cells"], np.int64))
            own = number == local
            total[cell[own]] += tokens[own]
            held.setdefault(name, []).append((part, local, args["part_source"][part]))
    # A corpus without a document has one stream and in it one shard, so that its form is that of any other.
    names = sorted(totals) or [args["stream"]]
    streams: list[dict[str, Any]] = []
    for name in names:
        total = totals.get(name, np.zeros(args["cells"], np.int64)).tolist()
        _check_size(name, total, args["tokens_per_shard"])
        shards = runs(total, 0, args["cells"], args["tokens_per_shard"])
        cell_groups = [runs(total, first, end, SORT_TOKENS) for first, end in shards]
        streams.append({"name": name, "tokens": sum(total), "shards": shards, "cell_groups": cell_groups})
    layout = layout_id(args["seed"], args["cells"], [(stream["name"], stream["shards"]) for stream in streams])
    rows = np.array([row for name in names for row in held.get(name, ())], np.uint32).reshape(-1, len(HOLDERS))
    counts = [len(held.get(name, ())) for name in names]
    table = pa.Table.from_arrays(
        [pa.array(rows[:, place], field.type) for place, field in enumerate(HOLDERS)], schema=HOLDERS
    )
    outputs = (
        storage.write_json(STREAMS, {"layout_id": layout, "streams": streams}),
        exchange.write(storage, "state/holders/holders.arrow", table, np.repeat(np.arange(len(names)), counts)),
    )
    return Result(outputs, {"streams": len(names), "shards": sum(len(stream["shards"]) for stream in streams)})


def _check_size(name: str, totals: Sequence[int], tokens_per_shard: int) -> None:
    # One cell alone may be larger than a shard should be: a document is not cut.
    if max(totals) > tokens_per_shard and sum(totals) > len(totals) * tokens_per_shard:
        raise StorageError(
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
