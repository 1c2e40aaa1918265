"""What steps leave for each other below `state/`, and `decisions/`: one schema each. No step imports another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, schema
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.worker import listing

CARRIED = ("origin_id", "basis", "language", "script")
"""Stage columns that a ledger row keeps even where its record was dropped later."""

TEXT = pa.dictionary(pa.int32(), pa.string())

RECORDS = pa.schema(
    [
        *schema.fields(schema.RECORD, "doc_id", "file", "offset", "length", "url", "fetched_at"),
        *schema.fields(schema.DOCUMENT, *CARRIED),
        pa.field("stage", TEXT),
        pa.field("reason", TEXT),
        pa.field("verdict", TEXT),
        pa.field("rule", schema.RULE),
        pa.field("chars", pa.int32()),
        pa.field("text_sha256", pa.binary(32)),
    ]
)
"""One row per record: where it ended, or nulls where it became a document."""

IDENTITY = pa.schema([pa.field("high", pa.uint64()), pa.field("low", pa.uint64()), pa.field("row", pa.uint32())])
"""The two halves of a doc_id, by the range of its high half."""

ROWS = pa.schema([pa.field("row", pa.uint32())])
"""Record rows of a part: those whose doc_id stood before (by part)."""

KEPT = pa.schema([pa.field("row", pa.uint32()), pa.field("copies", pa.uint32())])
"""Rows of a part that are kept, in order, and for how many documents each stands: itself and its copies."""

KEYS = pa.schema([pa.field("key", pa.uint64()), pa.field("row", pa.uint32())])
"""A barrier stage's keys, by their range."""

EDGES = pa.schema([pa.field("smaller", pa.uint64()), pa.field("larger", pa.uint64())])
"""Pairs of nodes that share a key."""

CLUSTERS = pa.schema([pa.field("row", pa.uint32()), pa.field("cluster", pa.uint64()), pa.field("size", pa.uint32())])
"""Which cluster a document lies in, by part."""

MIRRORS = pa.schema(
    [
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("doc_id", schema.DOC_ID, nullable=False),
        pa.field("url", pa.string()),
        pa.field("stage", TEXT, nullable=False),
    ]
)
"""Records of a part that a stage dropped and whose copies matter to it, signed; their keys are in `KEYS` too."""

MIRRORED = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("stage", pa.string()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("url", pa.string()),
    ]
)
"""Documents that are copies of such a record, by part: the stage that dropped it, its doc_id and its URL."""

MIRROR = "mirror-of-opted-out"
"""Reason of a document that is dropped as the copy of such a record."""

DECISIONS = pa.schema(
    [
        pa.field("doc_id", schema.DOC_ID, nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("stage", TEXT),
        pa.field("reason", TEXT),
        pa.field("rule", schema.RULE),
        pa.field("cluster", pa.uint64()),
        pa.field("cluster_size", pa.uint32()),
        pa.field("mirror_of", schema.DOC_ID),
    ]
)
"""One row per document: the soft decision against it (null: none), the cluster it lies in, and the record that is no
document and of which it is a copy (`MIRRORS`)."""

SURVEY = pa.schema([pa.field("number", pa.uint64()), pa.field("documents", pa.uint64())])
"""In how many documents something occurs that a stage asks about, by its number."""

CANDIDATES = pa.schema(
    [
        pa.field("cluster", pa.uint64()),
        pa.field("row", pa.uint32()),
        pa.field("priority", pa.uint32()),
        pa.field("fetched_at", pa.int64()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("text_sha256", pa.binary(32)),
    ]
)
"""Documents that may be their cluster's canonical one, by a hash of the cluster."""

LOSERS = pa.schema(
    [pa.field("row", pa.uint32()), pa.field("duplicate_of", schema.DOC_ID), pa.field("exact", pa.bool_())]
)
"""Documents that are copies: of which one, and whether the text is the same to the byte; by part."""

ENCODED = pa.schema(
    [
        pa.field("order", pa.uint64()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("row", pa.uint32()),
        pa.field("language", pa.string()),
        pa.field("tokens", schema.TOKENS.field("tokens").type),
    ]
)
"""Token ids by shuffle cell. `order` is the shuffle hash: its range is the cell, its rank the place in the shard."""

POSITIONS = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("shard", pa.int32()),
        pa.field("shard_row", pa.int64()),
        pa.field("tokens", pa.int32()),
    ]
)
"""The place that each kept document got, by part."""

LEAVES = pa.schema(
    [
        pa.field("key", pa.binary(32), nullable=False),
        pa.field("leaf", pa.binary(32), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
    ]
)
"""Leaves of the ledger's Merkle tree, by groups of key ranges."""


def rows_of_part(storage: Storage, listed: str, ordinal: int, layout: pa.Schema) -> pa.Table:
    """What the files of a listing hold for one part."""
    return exchange.read_parts(storage, [output.path for output in listing(storage, listed)], ordinal, layout)[0]


def write_edges(storage: Storage, path: str, edges: NDArray[np.uint64]) -> Output:
    """Publish edges, shape (m, 2), as one batch of `EDGES`."""
    with storage.staging(path) as staged:
        with pa.ipc.new_file(str(staged), EDGES) as writer:
            columns = [pa.array(np.ascontiguousarray(edges[:, side])) for side in (0, 1)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=EDGES))
        return exchange.describe(staged, path, len(edges))


def read_edges(storage: Storage, listed: str) -> Iterator[NDArray[np.uint64]]:
    """The edges of each file of a listing, shape (m, 2)."""
    for output in listing(storage, listed):
        with storage.open(output.path) as source:
            batch = pa.ipc.open_file(source).get_batch(0)
            yield np.column_stack([batch.column(0).to_numpy(), batch.column(1).to_numpy()])


def read_survey(storage: Storage, path: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """What a survey left: numbers, sorted, and the documents that each occurs in."""
    table, _ = exchange.read_parts(storage, [path], 0, SURVEY)
    return table.column("number").to_numpy(), table.column("documents").to_numpy()


def row_numbers(table: pa.Table) -> NDArray[np.uint32]:
    """The `row` column as numpy, shape (n,)."""
    rows: NDArray[np.uint32] = table.column("row").to_numpy()
    return rows
