"""What steps leave for each other below `state/`, and `decisions/` and `cuts/`. No step imports another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, schema
from lauter.pipeline.storage import Storage
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

IDENTITY = pa.schema([pa.field("order", pa.uint64()), pa.field("low", pa.uint64()), pa.field("row", pa.uint32())])
"""The two halves of a doc_id in sorted runs (`sorted_runs.py`): `order` is the high one, so that any range of ids is
found, and nothing makes extraction run again where there are more ranges."""

ROWS = pa.schema([pa.field("row", pa.uint32())])
"""Record rows of a part: those whose doc_id stood before (by part)."""

KEPT = pa.schema([pa.field("row", pa.uint32()), pa.field("copies", pa.uint32())])
"""Rows of a part that are kept, in order, and for how many documents each stands: itself and its copies."""

KEYS = pa.schema([pa.field("key", pa.uint64(), nullable=False), pa.field("item", pa.uint64(), nullable=False)])
"""Keys under which items meet, by their range: 16 bytes each. The lowest bit says what kind it is (`joining.sign`)."""

ITEMS = pa.schema(
    [
        pa.field("item", pa.uint64()),
        pa.field("row", pa.uint32()),
        pa.field("identities", pa.list_(pa.uint64())),
        pa.field("sketch", pa.binary()),
    ]
)
"""A signed document, by the range of its item. `identities` has a number for each of the stage's, `sketch` the stage's
sketch columns as they lie in memory (`fixed_width`)."""

PAIRS = pa.schema([pa.field("left", pa.uint64(), nullable=False), pa.field("right", pa.uint64(), nullable=False)])
"""Two items that are to be compared, the smaller one left; by its range."""

HALF = pa.schema(
    [
        pa.field("left", pa.uint64()),
        pa.field("right", pa.uint64()),
        pa.field("part", pa.uint32()),
        pa.field("row", pa.uint32()),
        pa.field("sketch", pa.binary()),
    ]
)
"""A pair, and a document of its left item with its sketch; by the range of the right item."""

WANTED = pa.schema(
    [
        pa.field("left", pa.uint64()),
        pa.field("right", pa.uint64()),
        pa.field("side", pa.uint8()),
        pa.field("row", pa.uint32()),
    ]
)
"""The documents (side 0: of the left item) whose texts decide an open pair, by part."""

EVIDENCE = pa.schema(
    [
        pa.field("left", pa.uint64()),
        pa.field("right", pa.uint64()),
        pa.field("side", pa.uint8()),
        pa.field("row", pa.uint32()),
        pa.field("part", pa.uint32()),
        pa.field("evidence", pa.list_(pa.uint32())),
    ]
)
"""What a stage compares of one side of an open pair, by a hash of the pair."""

MEMBERS = pa.schema(
    [
        pa.field("component", pa.uint64()),
        pa.field("item", pa.uint64()),
        pa.field("part", pa.uint32()),
        pa.field("row", pa.uint32()),
        pa.field("sketch", pa.binary()),
    ]
)
"""A document that is not alone, by the range of its component, which is called by its smallest item."""

COMPONENT_EDGES = pa.schema(
    [pa.field("component", pa.uint64()), pa.field("left", pa.uint64()), pa.field("right", pa.uint64())]
)
"""Two items that were compared and are copies, by the range of their component."""

NEIGHBOURS = pa.schema(
    [pa.field("item", pa.uint64()), pa.field("neighbour", pa.uint64()), pa.field("verified", pa.uint8())]
)
"""An item and one with an edge to it, by the range of the first; `verified`: they were compared and are copies."""

CLUSTERS = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("cluster", pa.uint64()),
        pa.field("size", pa.uint32()),
        pa.field("component", pa.uint64()),
    ]
)
"""Which cluster a document lies in, by part: the place of the cluster's first document in the run, how many it has, 0
for one that only visits it (`joining.neighbours`), and its component."""

MIRRORS = pa.schema(
    [
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("doc_id", schema.DOC_ID, nullable=False),
        pa.field("url", pa.string()),
        pa.field("stage", TEXT, nullable=False),
    ]
)
"""Records of a part that a stage dropped and whose copies matter to it, signed (`KEYS`, `ITEMS`)."""

MEETINGS = pa.schema([pa.field("item", pa.uint64()), pa.field("record", pa.uint64()), pa.field("sure", pa.uint8())])
"""Items of a document and of such a record that share a key, by the record's; `sure`: they share an identity."""

TOUCHES = pa.schema(
    [
        pa.field("item", pa.uint64()),
        pa.field("of", pa.uint64()),
        pa.field("record", pa.uint64()),
        pa.field("stage", pa.string()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("url", pa.string()),
        pa.field("sketch", pa.binary()),
        pa.field("sure", pa.uint8()),
    ]
)
"""The same with one record of the item `of`: its place in the run (`exchange.node`), the stage that dropped it, its
doc_id, its URL and its sketch; by the range of the document's item."""

FOUND = pa.schema(
    [
        pa.field("component", pa.uint64()),
        *(TOUCHES.field(name) for name in ("of", "record", "stage", "doc_id", "url", "sketch")),
    ]
)
"""A record that some document of a component is a copy of, by the range of the component."""

MIRRORED = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("stage", pa.string()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("url", pa.string()),
        pa.field("record", pa.uint64()),
    ]
)
"""Documents that are copies of such a record, by part: the stage that dropped it, its doc_id, its URL and its place in
the run (`exchange.node`)."""

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
        pa.field("component", pa.uint64()),
        pa.field("item", pa.uint64()),
        pa.field("row", pa.uint32()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("text_sha256", pa.binary(32)),
        pa.field("identities", pa.list_(pa.uint64())),
        pa.field("order", pa.list_(pa.int64())),
    ]
)
"""Documents that nothing else objects to and that are not alone, by the range of their component. `order`: a number for
each of the stage's preferences, smaller ones first."""

LOSERS = pa.schema(
    [pa.field("row", pa.uint32()), pa.field("duplicate_of", schema.DOC_ID), pa.field("reason", pa.string())]
)
"""Documents that are copies: of which one, and why; by part."""

EXACT, NEAR = "exact-duplicate", "near-duplicate"
"""Reasons of a copy: the text is the same to the byte, or was found to be alike. That of an identity is `same-NAME`."""

COPIES = pa.schema([pa.field("row", pa.uint32()), pa.field("copies", pa.uint32())])
"""Documents that stand for others: for how many, themselves counted; by part."""

PASSAGES = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("order", pa.uint64()),
        pa.field("row", pa.uint32()),
        pa.field("start", pa.uint32()),
        pa.field("end", pa.uint32()),
    ]
)
"""Passages of kept documents by their key: shuffle hash and row of the document, and code points [start, end)."""

REPEATS = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("start", pa.uint32()),
        pa.field("end", pa.uint32()),
        pa.field("occurrences", pa.int64()),
    ]
)
"""Occurrences of passages that come again, by part, and how often the passage stands in the corpus."""

CUTS = pa.schema(
    [
        pa.field("doc_id", schema.DOC_ID, nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("occurrences", pa.int64(), nullable=False),
    ]
)
"""Code points [start, end) of a document that stand in no shard, in order, and how often what was cut stands."""

ENCODED = pa.schema(
    [
        pa.field("stream", pa.uint16()),
        pa.field("order", pa.uint64()),
        pa.field("doc_id", schema.DOC_ID),
        pa.field("row", pa.uint32()),
        pa.field("language", pa.string()),
        pa.field("copies", pa.uint32()),
        pa.field("tokens", schema.TOKENS.field("tokens").type),
        schema.LOSS_SPANS,
    ]
)
"""Token ids in sorted runs (`sorted_runs.py`). `stream` is its number in `SHARES` of the same part; `order` is the
shuffle hash: its range is the cell, its rank the place in the shard."""

SHARES = pa.schema(
    [
        pa.field("stream", pa.dictionary(pa.int32(), pa.string())),
        pa.field("cell", pa.uint32()),
        pa.field("tokens", pa.uint64()),
    ]
)
"""How many tokens a part has of each cell of each stream, where it has any. The dictionary is in the order of the
streams' numbers in the part."""

HOLDERS = pa.schema([pa.field("part", pa.uint32()), pa.field("stream", pa.uint16()), pa.field("source", pa.uint32())])
"""The parts that have documents of a stream, the stream's number there and the number of the part's source; by
stream."""

POSITIONS = pa.schema(
    [
        pa.field("row", pa.uint32()),
        pa.field("stream", pa.uint32()),
        pa.field("shard", pa.int32()),
        pa.field("shard_row", pa.int64()),
        pa.field("tokens", pa.int32()),
    ]
)
"""The place that each kept document got, by part; `stream` is its number in the layout."""

LEAVES = pa.schema(
    [
        pa.field("key", pa.binary(32), nullable=False),
        pa.field("leaf", pa.binary(32), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
    ]
)
"""Leaves of the ledger's Merkle tree, by groups of key ranges."""

TALLIES = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("of", "source", "verdict", "stage", "reason", "name", "more")),
        *(pa.field(name, pa.int64()) for name in ("records", "tokens", "chars")),
        *(pa.field(name, pa.timestamp("ms", tz="UTC")) for name in ("first", "last")),
    ]
)
"""Sums over the ledger by equal values, by ranges of their names' hashes; see `report.tallies`."""

DOMAINS = pa.schema(
    [
        pa.field("domain", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("records", "tokens", "characters")),
    ]
)
"""What the kept records of crawled sources come from, by size of content; see `report.domains`."""


def rows_of_part(storage: Storage, listed: str, ordinal: int, layout: pa.Schema) -> pa.Table:
    """What the files of a listing hold for one part."""
    return exchange.read_parts(storage, [output.path for output in listing(storage, listed)], ordinal, layout)[0]


def read_survey(storage: Storage, path: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """What a survey left: numbers, sorted, and the documents that each occurs in."""
    table, _ = exchange.read_parts(storage, [path], 0, SURVEY)
    return table.column("number").to_numpy(), table.column("documents").to_numpy()


def row_numbers(table: pa.Table) -> NDArray[np.uint32]:
    """The `row` column as numpy, shape (n,)."""
    rows: NDArray[np.uint32] = table.column("row").to_numpy()
    return rows
