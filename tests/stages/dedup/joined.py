"""The stage between documents and edges, put together as the engine does it, in one process and in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.comparing import OPEN, YES
from lauter.stages.dedup.stage import Dedup

Pair = tuple[int, int]


def batch_of(texts: Sequence[str | None], **columns: Sequence[object]) -> pa.RecordBatch:
    """A batch of documents; other columns by name."""
    types = {"language": pa.string(), "source": pa.string(), "url": pa.string(), "payload_hash": pa.uint64()}
    arrays = {name: pa.array(values, types[name]) for name, values in columns.items()}
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), **arrays})


@dataclass(frozen=True)
class Joined:
    """What a stage makes of some documents."""

    item: NDArray[np.uint64]
    """Of each document."""
    keys: list[set[int]]
    """Of each document."""
    identities: NDArray[np.uint64]
    pairs: set[Pair]
    """Items that were compared."""
    opened: set[Pair]
    """Of which the texts decided."""
    edges: set[Pair]
    """Of which the stage says that they are copies."""


def join(stage: Dedup, batches: Sequence[pa.RecordBatch]) -> Joined:
    """Sign, let keys meet, judge, compare."""
    signed = [stage.sign(batch) for batch in batches]
    item = np.concatenate([one.item for one in signed])
    sketches = pa.Table.from_batches([one.sketches for one in signed], stage.sketches).combine_chunks()
    starts = np.cumsum([0, *(len(one.item) for one in signed)])
    row = np.concatenate([one.row + start for one, start in zip(signed, starts[:-1], strict=True)])
    key = np.concatenate([one.key for one in signed])
    keys: list[set[int]] = [set() for _ in range(len(item))]
    for place, value in zip(row.tolist(), key.tolist(), strict=True):
        keys[place].add(value)
    table = np.unique(np.column_stack((key, item[row])), axis=0)
    pairs = np.unique(stage.pairs(*np.ascontiguousarray(table.T)), axis=0)
    # Any document of an item may stand for it.
    known, first = np.unique(item[::-1], return_index=True)
    of_item = len(item) - 1 - first
    sides = [of_item[np.searchsorted(known, pairs[:, side])] for side in (0, 1)]
    if not len(pairs):
        return Joined(item, keys, np.concatenate([one.identities for one in signed]), set(), set(), set())
    left, right = (sketches.take(pa.array(rows)).combine_chunks().to_batches()[0] for rows in sides)
    verdict = stage.judge(left, right)
    open_pairs = np.flatnonzero(verdict == OPEN)
    evidence = pa.chunked_array([stage.evidence(batch) for batch in batches]).combine_chunks()
    same = stage.compare(*(evidence.take(pa.array(rows[open_pairs])) for rows in sides))
    copies = [*np.flatnonzero(verdict == YES), *open_pairs[same]]
    return Joined(
        item,
        keys,
        np.concatenate([one.identities for one in signed]),
        {(int(a), int(b)) for a, b in pairs},
        {(int(a), int(b)) for a, b in pairs[open_pairs]},
        {(int(a), int(b)) for a, b in pairs[copies]},
    )
