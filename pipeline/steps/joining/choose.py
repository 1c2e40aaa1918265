"""Steps `propose` and `choose`: which of several copies is kept, among the documents that nothing else objects to.

Both are tasks per range of components and decide by the same rule (`greedy`). What the hubs of large buckets have left
open is proposed first, and compared like any other pair; choose then decides with all edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.fixed_width import numbers
from lauter.pipeline.steps.joining.greedy import BY_IDENTITY, anchors, keepers
from lauter.pipeline.steps.joining.greedy import foremost as first_of_group
from lauter.pipeline.steps.joining.ranges import starts_of, unique_pairs
from lauter.pipeline.steps.layouts import CANDIDATES, COMPONENT_EDGES, COPIES, EXACT, LOSERS, NEAR, PAIRS
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing

LARGEST = 10
"""Components that are reported by name."""


@dataclass(frozen=True, slots=True)
class _Range:
    """The candidates of a range of components in order of preference, and the edges between their items."""

    table: pa.Table
    part: NDArray[np.uint64]
    settled: int
    """How many of the first are of older corpora."""
    items: NDArray[np.uint64]
    item: NDArray[np.int64]
    """Each candidate's place in `items`."""
    identities: NDArray[np.int64]
    numbers: int
    starts: NDArray[np.int64]
    neighbours: NDArray[np.int64]

    def keepers(self) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
        """`greedy.keepers` of the range."""
        return keepers(self.item, self.identities, self.starts, self.neighbours, self.settled, self.numbers)


def propose(task: Task, storage: Storage) -> Result:
    """Pairs of items that have yet to be compared, by the smaller item."""
    args = task.args
    found = _range(task, storage)
    keeper, _, holder = found.keepers()
    places = anchors(found.item, keeper, holder, found.starts, found.neighbours)
    ends = found.items[places]
    pairs = unique_pairs(np.column_stack([ends.min(axis=1), ends.max(axis=1)]) if len(ends) else ends)
    table = pa.table([pairs[:, 0], pairs[:, 1]], schema=PAIRS)
    path = f"state/{args['name']}pairs/{args['partition']:05d}.arrow"
    output = exchange.write(storage, path, table, exchange.partition_of(pairs[:, 0], args["partitions"]))
    return Result((output,), {"pairs": output.rows})


def choose(task: Task, storage: Storage) -> Result:
    """Publish which documents are copies, and for how many the others stand, by part."""
    found = _range(task, storage)
    keeper, how, _ = found.keepers()
    return _publish(task, storage, found.table, found.part, keeper, how)


def foremost(task: Task, storage: Storage) -> Result:
    """The same without a graph (`neighbours`): a document is dropped if a copy of it comes before it."""
    args = task.args
    table, part, edges = _read(task, storage)
    # In order of preference already, which a stable sort keeps within each group.
    order = np.argsort(table.column("component").to_numpy(), kind="stable")
    table, part = table.take(pa.array(order)).combine_chunks(), part[order]
    component, item = table.column("component").to_numpy(), table.column("item").to_numpy()
    items = np.unique(np.concatenate([component, item, edges.reshape(-1)]))
    pairs = np.searchsorted(items, edges)
    visit = np.searchsorted(items, component) * len(items) + np.searchsorted(items, item)
    verified = np.isin(visit, pairs[:, 0] * len(items) + pairs[:, 1])
    identities, count = _numbered(_identities(table, args), component)
    older = part >= np.uint64(args["parts"])
    keeper, how = first_of_group(starts_of(component), component == item, verified, older, identities, count)
    return _publish(task, storage, table, part, keeper, how)


def _publish(
    task: Task,
    storage: Storage,
    table: pa.Table,
    part: NDArray[np.uint64],
    keeper: NDArray[np.int64],
    how: NDArray[np.uint8],
) -> Result:
    args = task.args
    lost = np.flatnonzero(how)
    doc_id, digest = (exchange.one_chunk(table.column(name)) for name in ("doc_id", "text_sha256"))
    of = pa.array(keeper[lost])
    exact = pc.fill_null(pc.equal(digest.take(pa.array(lost)), digest.take(of)), fill_value=False)
    reasons = pa.array([None, NEAR, NEAR, *(f"same-{name}" for name in args["identities"])], pa.string())
    assert len(reasons) == BY_IDENTITY + len(args["identities"])
    reason = pc.if_else(exact, EXACT, reasons.take(pa.array(how[lost])))
    rows = table.column("row").take(pa.array(lost))
    losers = pa.Table.from_arrays([rows, doc_id.take(of), reason], schema=LOSERS)
    own = part < np.uint64(args["parts"])
    copies = np.bincount(keeper, minlength=len(keeper)) if len(keeper) else np.zeros(0, np.int64)
    stand = np.flatnonzero(own & (how == 0) & (copies > 1))
    stands = pa.Table.from_arrays(
        [
            exchange.one_chunk(table.column("row")).take(pa.array(stand)),
            pa.array(copies[stand].astype(np.uint32)),
        ],
        schema=COPIES,
    )
    where = f"{args['partition']:05d}.arrow"
    outputs = (
        _by_part(storage, f"state/losers/{where}", losers, part[lost]),
        _by_part(storage, f"state/copies/{where}", stands, part[stand]),
    )
    info = {"candidates": int(own.sum()), "duplicates": len(lost), "largest": _largest(table, part, own)}
    return Result(outputs, info)


def _by_part(storage: Storage, path: str, table: pa.Table, part: NDArray[np.uint64]) -> Output:
    return exchange.write(storage, path, table, part.astype(np.int64))


def _largest(table: pa.Table, part: NDArray[np.uint64], own: NDArray[np.bool_]) -> list[list[int | str]]:
    """[documents, part, row, doc_id] of the largest components: how many candidates, and the most preferred of them."""
    component = table.column("component").to_numpy()[own]
    _, first, size = np.unique(component, return_index=True, return_counts=True)
    places = np.flatnonzero(own)[first]
    # Equal sizes by doc_id, as lists of several ranges are put together: which ten it is depends on no range.
    low, high = _by_doc_id(table)
    chosen = np.lexsort((low[places], high[places], -size))[:LARGEST]
    places = places[chosen]
    rows = table.column("row").to_numpy()
    ids = table.column("doc_id").take(pa.array(places)).to_pylist()
    return [
        [int(count), int(part[place]), int(rows[place]), doc_id.hex()]
        for count, place, doc_id in zip(size[chosen].tolist(), places.tolist(), ids, strict=True)
    ]


def _read(task: Task, storage: Storage) -> tuple[pa.Table, NDArray[np.uint64], NDArray[np.uint64]]:
    """Candidates of the range in order of preference, their parts, and edges between items, shape (m, 2)."""
    args = task.args
    paths = [output.path for output in listing(storage, args["candidates"])]
    table, part = exchange.read_parts(storage, paths, args["partition"], CANDIDATES)
    order = preference_order(table, part >= np.uint64(args["parts"]))
    table, part = table.take(pa.array(order)).combine_chunks(), part[order]
    pairs = [
        np.column_stack([batch.column("left").to_numpy(), batch.column("right").to_numpy()])
        for name in args["edges"]
        for output in listing(storage, name)
        for batch in exchange.read(storage, output.path, args["partition"], COMPONENT_EDGES)
    ]
    return table, part, unique_pairs(np.concatenate([np.empty((0, 2), np.uint64), *pairs]))


def _identities(table: pa.Table, args: Mapping[str, Any]) -> NDArray[np.uint64]:
    return numbers(exchange.one_chunk(table.column("identities")), len(args["identities"]))


def _range(task: Task, storage: Storage) -> _Range:
    args = task.args
    table, part, edges = _read(task, storage)
    own = table.column("item").to_numpy()
    items = np.unique(np.concatenate([own, edges.reshape(-1)]))
    ends = np.searchsorted(items, edges)
    source = np.concatenate([ends[:, 0], ends[:, 1]])
    by_source = np.argsort(source, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(source, minlength=len(items))))
    identities, count = _numbered(_identities(table, args), np.zeros(len(part), np.uint64))
    return _Range(
        table,
        part,
        int((part >= np.uint64(args["parts"])).sum()),
        items,
        np.searchsorted(items, own),
        identities,
        count,
        starts.astype(np.int64),
        np.concatenate([ends[:, 1], ends[:, 0]])[by_source],
    )


def preference_order(table: pa.Table, older: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places of `CANDIDATES` rows in order: those of older corpora, then by preference, then by doc_id."""
    low, high = _by_doc_id(table)
    ranks = exchange.one_chunk(table.column("order")).flatten().to_numpy()
    columns = ranks.reshape(len(low), -1) if len(low) else np.empty((0, 0), np.int64)
    keys = [low, high, *columns.T[::-1], ~older]
    order: NDArray[np.int64] = np.lexsort(keys)
    return order


def _by_doc_id(table: pa.Table) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The two halves of each doc_id as keys of `np.lexsort`, the low half first."""
    doc_id = exchange.one_chunk(table.column("doc_id"))
    halves = np.frombuffer(doc_id.buffers()[1] or b"", ">u8").reshape(-1, 2)
    own = halves[doc_id.offset : doc_id.offset + len(doc_id)]
    return own[:, 1], own[:, 0]


def _numbered(identities: NDArray[np.uint64], group: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """Identities as numbers from 0, other ones in each column and group, -1 for none; and how many there are."""
    found = np.full(identities.shape, -1, np.int64)
    count = 0
    for column in range(identities.shape[1]):
        order = np.lexsort((identities[:, column], group))
        own, of = identities[order, column], group[order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (own[1:] != own[:-1]) | (of[1:] != of[:-1])
        found[order, column] = np.where(own != 0, np.cumsum(new) - 1 + count, -1)
        count += int(new.sum())
    return found, count
