"""Steps `passages` and `repeats`: the keys of all passages of kept documents, and which occurrences come again.

passages (a task per part) signs the kept documents. repeats (a task per range of keys) looks at its keys twice: first
it learns how often each stands and where the last occurrence that stays is, then it tells each part which of its
occurrences lie behind that. It makes no list of what stands together: of a key it holds the occurrences that stay and a
count, however often it stands.

Keys lie in cells, equal ranges of the key space, and a task takes as many cells at once as hold `GROUP_BYTES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import StageContext
from lauter.pipeline.cuts import code_points
from lauter.pipeline.cutting import CuttingStage
from lauter.pipeline.identity import shuffle_order
from lauter.pipeline.specs import reads_of
from lauter.pipeline.steps.layouts import KEPT, PASSAGES, REPEATS, row_numbers
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, opened

GROUP_BYTES = 64 << 20
"""Passages (28 bytes each) that are worked on together: 2.4 million, of which the different ones are held."""
MERGED_ROWS = 1 << 20
"""Passages after which those that were read are reduced to what is held of each key."""
MOST = 20
"""How many of the most frequent passages are counted for the report."""

Keys = NDArray[np.uint64]


def run(task: Task, storage: Storage) -> Result:
    """Sign the kept documents of one part; nothing of planted ones, which stay as they are."""
    args = task.args
    stage: CuttingStage = opened(args["stage"], StageContext(seed=args["seed"]))
    kept = row_numbers(exchange.read_parts(storage, [args["kept"]["path"]], 0, KEPT)[0])
    wanted = ["doc_id", "row", *sorted(reads_of(args["stage"]))]
    path = f"state/passages/{args['part']}.arrow"
    chars = 0
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, PASSAGES)
        for group in parquet.batches(storage, args["documents"]["path"], wanted) if not args["planted"] else ():
            batch = group.filter(pa.array(np.isin(group.column("row").to_numpy(), kept)))
            chars += int(code_points(batch.column("text")).sum())
            found = stage.sign(batch.select(wanted[2:]))
            order = shuffle_order(batch.column("doc_id"), args["seed"])
            columns = [
                found.key,
                order[found.row],
                batch.column("row").to_numpy()[found.row],
                found.start.astype(np.uint32),
                found.end.astype(np.uint32),
            ]
            table = pa.Table.from_arrays([pa.array(column) for column in columns], schema=PASSAGES)
            sink.write(table, exchange.partition_of(found.key, args["cells"]))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    return Result((output,), {"passages": output.rows, "chars": chars})


def repeats(task: Task, storage: Storage) -> Result:
    """The occurrences that come again, of the keys of one range, by part."""
    args = task.args
    paths = [output.path for output in listing(storage, args["listing"])]
    path = f"state/repeats/{args['partition']:05d}.arrow"
    passages = distinct = repeated = 0
    most: list[tuple[int, int]] = []
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, REPEATS)
        for first, end, size in _groups(storage, paths, *args["cells"]):
            # A group of many cells is read once; a cell that alone is larger twice.
            found = list(_read(storage, paths, first, end)) if size < 2 * GROUP_BYTES else None
            held = Held.empty()
            for _, batch in found if found is not None else _read(storage, paths, first, end):
                held.add(batch, args["keeps"])
            limits = held.limits(args["keeps"])
            passages += limits.passages
            distinct += limits.distinct
            repeated += len(limits.key)
            most = sorted([*most, *limits.most()], reverse=True)[:MOST]
            again = found if found is not None else _read(storage, paths, first, end)
            for part, batch in again if len(limits.key) else ():
                table = limits.again(batch)
                sink.write(table, np.full(table.num_rows, part, np.int64))
        sink.close()
        output = exchange.describe(staged, path, sink.rows)
    counts = {"passages": passages, "distinct": distinct, "repeated": repeated, "occurrences": output.rows}
    return Result((output,), {**counts, "most": [list(item) for item in most]})


def _groups(storage: Storage, paths: Sequence[str], first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Runs of cells [start, stop) of [first, end), each closed when it holds `GROUP_BYTES`, and what it holds."""
    size = np.zeros(end - first, np.int64)
    for path in paths:
        with storage.open(path) as source:
            index = exchange.read_index(storage, path, source)
        own = index[(index[:, 0] >= first) & (index[:, 0] < end)]
        np.add.at(size, own[:, 0] - first, own[:, 2])
    start, held = first, 0
    for cell, count in enumerate(size.tolist(), first):
        held += count
        if held >= GROUP_BYTES or (held and cell == end - 1):
            yield start, cell + 1, held
            start, held = cell + 1, 0


def _read(storage: Storage, paths: Sequence[str], first: int, end: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    for part, path in enumerate(paths):
        for batch in exchange.read(storage, path, first, PASSAGES, end):
            yield part, batch


@dataclass(frozen=True, slots=True)
class Limits:
    """The keys of a group that stand more often than stays: how often, and the last place that stays."""

    passages: int
    distinct: int
    key: Keys
    """Shape (k,), rising."""
    order: Keys
    start: NDArray[np.uint32]
    """Shape (k,): the shuffle hash of the document of the last occurrence that stays, and its start in it."""
    occurrences: NDArray[np.int64]
    chars: NDArray[np.int64]
    """Shape (k,): code points of the first occurrence."""

    def again(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows of a batch of `PASSAGES` that lie behind that place, as `REPEATS`."""
        key, order, row, start, end = (batch.column(name).to_numpy() for name in PASSAGES.names)
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        behind = (order > self.order[place]) | ((order == self.order[place]) & (start > self.start[place]))
        chosen = np.flatnonzero((self.key[place] == key) & behind)
        columns = [row[chosen], start[chosen], end[chosen], self.occurrences[place[chosen]]]
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=REPEATS)

    def most(self) -> list[tuple[int, int]]:
        """(occurrences, code points) of the most frequent, at most `MOST`."""
        order = np.lexsort((self.chars, self.occurrences))[::-1][:MOST]
        return list(zip(self.occurrences[order].tolist(), self.chars[order].tolist(), strict=True))


class Held:
    """What is held of the keys of a group: of each the first occurrences, at most as many as stay, and their number.

    Memory: 32 bytes an occurrence that is held, and about 100 for each of `MERGED_ROWS` while they are merged.
    """

    def __init__(self, key: Keys, order: Keys, start: NDArray[np.uint32], chars: NDArray[np.uint32]) -> None:
        self._columns = (key, order, start, chars, np.ones(len(key), np.int64))
        self._pending: list[tuple[Keys, Keys, NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]] = []
        self._waiting = 0

    @classmethod
    def empty(cls) -> Held:
        """Nothing."""
        none = np.empty(0, np.uint64)
        return cls(none, none, none.astype(np.uint32), none.astype(np.uint32))

    def add(self, batch: pa.RecordBatch, keeps: int) -> None:
        """Add rows of `PASSAGES`."""
        key, order, _, start, end = (batch.column(name).to_numpy() for name in PASSAGES.names)
        self._pending.append((key, order, start, end - start, np.ones(len(key), np.int64)))
        self._waiting += len(key)
        # As many as are held already, so that none is sorted more often than the logarithm of all.
        if self._waiting >= max(MERGED_ROWS, len(self._columns[0])):
            self._merge(keeps)

    def _merge(self, keeps: int) -> None:
        """Reduce all to the first `keeps` of each key; the first of them carries the count of those that go."""
        key, order, start, chars, weight = (
            np.concatenate(columns) for columns in zip(self._columns, *self._pending, strict=True)
        )
        # Most keys stand once: only the others are sorted by three columns.
        by_key = np.argsort(key)
        same = key[by_key][1:] == key[by_key][:-1]
        several = np.zeros(len(key), np.bool_)
        several[1:] |= same
        several[:-1] |= same
        rows = by_key[several]
        by_key[several] = rows[np.lexsort((start[rows], order[rows], key[rows]))]
        key, order, start, chars, weight = (column[by_key] for column in (key, order, start, chars, weight))
        begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
        size = np.diff(np.append(begins, len(key)))
        stays = np.arange(len(key)) - np.repeat(begins, size) < keeps
        total = np.add.reduceat(weight, begins) if len(key) else weight
        weight = np.ones(len(key), np.int64)
        weight[begins] = total - np.minimum(size, keeps) + 1
        self._columns = (key[stays], order[stays], start[stays], chars[stays], weight[stays])
        self._pending, self._waiting = [], 0

    def limits(self, keeps: int) -> Limits:
        """What stands more often than stays, of all that was added."""
        self._merge(keeps)
        key, order, start, chars, weight = self._columns
        begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
        total = np.add.reduceat(weight, begins) if len(key) else weight
        more = np.flatnonzero(total > keeps)
        last = begins[more] + keeps - 1
        return Limits(
            int(weight.sum()),
            len(begins),
            key[begins[more]],
            order[last],
            start[last],
            total[more],
            chars[begins[more]].astype(np.int64),
        )
