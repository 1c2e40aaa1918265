"""Step `layout`: which streams there are, and where each is cut into shards.

One task, for the borders of a stream depend on all parts. It reads what `encode` counted, one part after the other: 16
bytes for each cell of each stream that a part has, and holds 8 to 16 bytes for each cell of each stream of the corpus,
and 16 for each stream of each part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from enum import IntEnum
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
    cells: int = args["cells"]
    numbers: dict[str, int] = {}
    totals = np.zeros((0, cells), np.int64)
    held: list[NDArray[np.uint32]] = []
    for part, output in enumerate(listing(storage, args["listing"])):
        with storage.open(output.path) as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        names = batch.column("stream").dictionary.to_pylist()
        of = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
        if len(numbers) > len(totals):
            totals = np.concatenate([totals, np.zeros((max(len(numbers) - len(totals), len(totals)), cells), np.int64)])
        # A part has each cell of each stream once.
        place = of[batch.column("stream").indices.to_numpy()], batch.column("cell").to_numpy()
        totals[place] += batch.column("tokens").to_numpy().astype(np.int64)
        rows = np.empty((len(of), len(_Held)), np.uint32)
        rows[:, _Held.STREAM], rows[:, _Held.PART] = of, part
        rows[:, _Held.LOCAL], rows[:, _Held.SOURCE] = np.arange(len(of)), args["part_source"][part]
        held.append(rows)
    # A corpus without a document has one stream and in it one shard, so that its form is that of any other.
    order = sorted(numbers) or [args["stream"]]
    streams: list[dict[str, Any]] = []
    for name in order:
        total = totals[numbers[name]].tolist() if name in numbers else [0] * cells
        _check_size(name, total, args["tokens_per_shard"])
        shards = runs(total, 0, cells, args["tokens_per_shard"])
        cell_groups = [runs(total, first, end, SORT_TOKENS) for first, end in shards]
        streams.append({"name": name, "tokens": sum(total), "shards": shards, "cell_groups": cell_groups})
    layout = layout_id(args["seed"], cells, [(stream["name"], stream["shards"]) for stream in streams])
    table, stream = _holders(held, [numbers[name] for name in order if name in numbers])
    outputs = (
        storage.write_json(STREAMS, {"layout_id": layout, "streams": streams}),
        exchange.write(storage, "state/holders/holders.arrow", table, stream),
    )
    return Result(outputs, {"streams": len(order), "shards": sum(len(stream["shards"]) for stream in streams)})


class _Held(IntEnum):
    """Columns of a row for each stream of each part."""

    STREAM = 0
    """As the streams were met."""
    PART = 1
    LOCAL = 2
    """The stream's number in the part."""
    SOURCE = 3


def _holders(held: Sequence[NDArray[np.uint32]], order: Sequence[int]) -> tuple[pa.Table, NDArray[np.int64]]:
    """`HOLDERS` by stream and part, and the number of each row's stream in the layout."""
    rows = np.concatenate([np.empty((0, len(_Held)), np.uint32), *held])
    rank = np.empty(len(order), np.int64)
    rank[list(order)] = np.arange(len(order))
    stream = rank[rows[:, _Held.STREAM]]
    by_stream = np.argsort(stream, kind="stable")
    rows = rows[by_stream]
    columns = (rows[:, place] for place in (_Held.PART, _Held.LOCAL, _Held.SOURCE))
    arrays = [
        pa.array(column.astype(field.type.to_pandas_dtype())) for column, field in zip(columns, HOLDERS, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=HOLDERS), stream[by_stream]


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
