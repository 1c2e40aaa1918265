"""The tree of a whole ledger: leaves are sorted by range through files, so that no more than some ranges are in memory.

A build makes the same in its steps `leaves` and `merkle`; this is for what has no build at hand: the audit, a takedown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.proof.leaves import DIGEST_BYTES, Digests, leaves, ledger_batches
from lauter.pipeline.proof.tree import (
    LedgerTree,
    Range,
    Shape,
    shape_of,
    sorted_order,
    tree_root,
    with_sentinels,
    words,
)
from lauter.pipeline.steps.layouts import LEAVES
from lauter.pipeline.storage import Storage, StorageError


def merkle_root(storage: Storage, ledger_paths: Sequence[str]) -> LedgerTree:
    """The tree of these ledger parts, in any order.

    Takes 68 bytes a row in the folder for temporary files (`TMPDIR`), and half a GB of memory. Raises
    `StorageError` where a part cannot be read or the temporary files cannot be written.
    """
    try:
        shape = shape_of(sum(_rows(storage, path) for path in ledger_paths))
        with tempfile.TemporaryDirectory(prefix="lauter-merkle-") as folder:
            sink = exchange.PartitionedSink(Path(folder) / "leaves.arrow", LEAVES)
            for path in ledger_paths:
                for table, groups in leaf_tables(storage, path, shape.groups):
                    sink.write(table, groups)
            sink.close()
            local = Storage(folder)
            found: list[Range] = []
            for group in range(shape.groups):
                found += group_ranges(local, ["leaves.arrow"], group, shape)
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"the Merkle tree of the ledger in {storage.root} cannot be computed: {error} (temporary files go to "
            f"{tempfile.gettempdir()}; TMPDIR names another folder)"
        ) from error
    return LedgerTree(tuple(found))


def _rows(storage: Storage, path: str) -> int:
    with storage.open(path) as source:
        return int(pq.read_metadata(source).num_rows)


def leaf_tables(storage: Storage, path: str, groups: int) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    """The leaves of one ledger part (LEAVES), in pieces, with the group of ranges that each lies in."""
    first = 0
    for batch in ledger_batches(storage, path):
        keys, digests = leaves(batch)
        rows = np.arange(first, first + len(keys), dtype=np.uint32)
        first += len(keys)
        yield leaf_table(keys, digests, rows), exchange.partition_of(words(keys[:, :8])[:, 0], groups)


def leaf_table(keys: Digests, digests: Digests, rows: NDArray[np.uint32]) -> pa.Table:
    """Leaves as a table of the layout LEAVES."""
    columns = [
        pa.Array.from_buffers(pa.binary(DIGEST_BYTES), len(items), [None, pa.py_buffer(np.ascontiguousarray(items))])
        for items in (keys, digests)
    ]
    return pa.Table.from_arrays([*columns, pa.array(rows)], schema=LEAVES)


def group_leaves(
    storage: Storage, paths: Sequence[str], group: int
) -> tuple[Digests, Digests, NDArray[np.uint64], NDArray[np.uint32]]:
    """Keys, leaves, part ordinals and rows of one group, in the order of the tree."""
    table, part = exchange.read_parts(storage, paths, group, LEAVES)
    keys, digests = (_digests(table.column(name)) for name in ("key", "leaf"))
    order = sorted_order(keys, digests)
    return keys[order], digests[order], part[order], table.column("row").to_numpy()[order]


def _digests(column: pa.ChunkedArray) -> Digests:
    found = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[DIGEST_BYTES * chunk.offset :][: DIGEST_BYTES * len(chunk)]
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.uint8), *found]).reshape(-1, DIGEST_BYTES)


def group_ranges(storage: Storage, paths: Sequence[str], group: int, shape: Shape) -> list[Range]:
    """The trees of one group's ranges, from what `leaf_tables` gave."""
    keys, digests, _, _ = group_leaves(storage, paths, group)
    width = shape.ranges // shape.groups
    place = exchange.partition_of(words(keys[:, :8])[:, 0], shape.ranges) - group * width
    cuts = np.searchsorted(place, np.arange(width + 1))
    found = []
    for number, (start, end) in enumerate(pairwise(cuts), group * width):
        items = with_sentinels(digests[start:end], number, shape.ranges)
        found.append(Range(len(items), tree_root(items)))
    return found
