"""Proofs that a URL is in the ledger, with every row about it, or that it is not.

A proof holds the leaves of the URL's key and the two that enclose them, each with its row text and its path in the tree
of its key range, the range's path to the ledger root, and what makes the root of the corpus of that. `verify_proof.py`
checks it without Lauter.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange, schema
from lauter.pipeline.audit.index import CorpusIndex, IndexBroken, read_index
from lauter.pipeline.proof.chain import CORPUS, RANGES, corpus_digest
from lauter.pipeline.proof.leaves import (
    DIGEST_BYTES,
    Digests,
    doc_id_of,
    key_of,
    leaves,
    ledger_batches,
    locator,
    row_keys,
    row_texts,
)
from lauter.pipeline.proof.partition import group_leaves
from lauter.pipeline.proof.tree import (
    LedgerTree,
    Range,
    bounds,
    leaf_hash,
    range_of,
    shape_of,
    sorted_order,
    tree_paths,
    tree_root,
    with_sentinels,
    words,
)
from lauter.pipeline.proof.verify_proof import verify
from lauter.pipeline.storage import Storage, StorageError

FORMAT = "lauter-proof-1"
AUDIT = "`lauter audit` says more"


class Contradiction(StorageError):
    """The run folder does not agree with itself, so nothing can be proved from it."""


def prove(storage: Storage, wanted: str) -> dict[str, Any]:
    """The proof about a URL, or about a doc_id of 32 hex digits: of that presence only.

    Raises `StorageError` where there is no finished corpus or no row has the doc_id, and `Contradiction` where the
    folder does not agree with itself.
    """
    if storage.size(CORPUS) is None:
        raise StorageError(f"{storage.root} holds no finished corpus; run `lauter build` to its end")
    try:
        data = storage.read(CORPUS)
        index = read_index(data)
        digest = corpus_digest(json.loads(data))
        tree = LedgerTree(tuple(Range(count, bytes.fromhex(root)) for count, root in storage.read_json(RANGES)))
        if len(tree.ranges) != index.ledger_tree.ranges or tree.root.hex() != index.ledger_root:
            raise Contradiction(f"{storage.root}/{RANGES} does not belong to corpus.json; {AUDIT}")
        doc_id = doc_id_of(wanted)
        subject = _subject_of(storage, index, doc_id) if doc_id else locator(wanted, b"")
        proof = _proof(storage, index, tree, subject)
        proof |= {
            "format": FORMAT,
            "doc_id": doc_id.hex() if doc_id else None,
            "root": index.root,
            "corpus": digest.hex(),
        }
        verify(proof, index.root)
    except (IndexBroken, pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise Contradiction(f"{storage.root} cannot be proved from, {AUDIT}: {error}") from error
    return proof


def proof_text(proof: dict[str, Any]) -> str:
    """The one form in which a proof is written; ASCII."""
    return json.dumps(proof, indent=1, sort_keys=True) + "\n"


def _subject_of(storage: Storage, index: CorpusIndex, doc_id: bytes) -> str:
    for entry in index.inputs:
        for batch in ledger_batches(storage, _path(entry.part), ["doc_id", "url"]):
            found = batch.filter(pc.equal(batch.column("doc_id"), pa.scalar(doc_id, schema.DOC_ID)))
            if found.num_rows:
                url = found.column("url").cast(pa.binary())[0].as_py()
                return locator(None if url is None else url.decode("utf-8", "surrogateescape"), doc_id)
    raise StorageError(
        f"no ledger row has the doc_id {doc_id.hex()}; only of a URL it can be proved that it is not in the ledger"
    )


def _path(part: str) -> str:
    return f"ledger/{part}.parquet"


@dataclass(frozen=True, slots=True)
class _Leaves:
    """The leaves of one range in the order of the tree, and where their rows are."""

    keys: Digests
    digests: Digests
    part: NDArray[np.uint64]
    row: NDArray[np.uint32]


def _proof(storage: Storage, index: CorpusIndex, tree: LedgerTree, subject: str) -> dict[str, Any]:
    key, ranges = key_of(subject), len(tree.ranges)
    number = range_of(key, ranges)
    found = _from_state(storage, index, tree, number) or _from_ledger(storage, index, tree, number)
    places = range(len(found.keys))
    first = bisect_left(places, key, key=lambda place: found.keys[place].tobytes())
    end = bisect_right(places, key, key=lambda place: found.keys[place].tobytes())
    # In the tree, the low sentinel stands before all of them.
    chosen = range(first, end + 2)
    _, paths = tree_paths(with_sentinels(found.digests, number, ranges), chosen)
    _, (range_path,) = tree_paths(tree.digests(), [number])
    low, high = bounds(number, ranges)
    rows = []
    for place, path in zip(chosen, paths, strict=True):
        if 0 < place <= len(found.keys):
            own, text = found.keys[place - 1].tobytes(), _text(storage, index, found, place - 1)
        else:
            own, text = (low if place == 0 else high), b""
        rows.append(
            {
                "place": place,
                "key": own.hex(),
                "text": text.decode("utf-8", "surrogateescape"),
                "path": [item.hex() for item in path],
            }
        )
    return {
        "subject": subject,
        "ledger_root": index.ledger_root,
        "ranges": ranges,
        "range": number,
        "leaves": tree.ranges[number].leaves,
        "path": [item.hex() for item in range_path],
        "rows": rows,
    }


def _from_state(storage: Storage, index: CorpusIndex, tree: LedgerTree, number: int) -> _Leaves | None:
    """The leaves that the build left, where they are there and still those of the published ledger."""
    paths = [f"state/leaves/{entry.part}.arrow" for entry in index.inputs]
    if any(storage.size(path) is None for path in paths):
        return None
    shape = shape_of(tree.rows)
    try:
        keys, digests, part, row = group_leaves(storage, paths, number * shape.groups // shape.ranges)
    except (StorageError, pa.ArrowException, OSError, ValueError):
        return None
    low, high = bounds(number, len(tree.ranges))
    here = slice(
        bisect_left(range(len(keys)), low, key=lambda place: keys[place].tobytes()),
        bisect_right(range(len(keys)), high, key=lambda place: keys[place].tobytes()),
    )
    found = _Leaves(keys[here], digests[here], part[here], row[here])
    return found if _is_range(found, tree, number) else None


def _from_ledger(storage: Storage, index: CorpusIndex, tree: LedgerTree, number: int) -> _Leaves:
    """The leaves of a range from one pass over the ledger, of which only `url` and `doc_id` are read outside of it."""
    keys, digests = [np.empty((0, DIGEST_BYTES), np.uint8)], [np.empty((0, DIGEST_BYTES), np.uint8)]
    parts, rows = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for ordinal, entry in enumerate(index.inputs):
        first = 0
        for batch in ledger_batches(storage, _path(entry.part)):
            own = exchange.partition_of(words(row_keys(batch)[:, :8])[:, 0], len(tree.ranges))
            here = np.flatnonzero(own == number)
            if len(here):
                found = leaves(batch.take(pa.array(here)))
                keys.append(found.keys)
                digests.append(found.leaves)
                parts.append(np.full(len(here), ordinal, np.uint64))
                rows.append((first + here).astype(np.uint32))
            first += batch.num_rows
    all_keys, all_digests = np.concatenate(keys), np.concatenate(digests)
    order = sorted_order(all_keys, all_digests)
    whole = _Leaves(all_keys[order], all_digests[order], np.concatenate(parts)[order], np.concatenate(rows)[order])
    if not _is_range(whole, tree, number):
        raise Contradiction(f"the ledger is not the one whose roots {storage.root}/{RANGES} lists; {AUDIT}")
    return whole


def _is_range(found: _Leaves, tree: LedgerTree, number: int) -> bool:
    items = with_sentinels(found.digests, number, len(tree.ranges))
    return Range(len(items), tree_root(items)) == tree.ranges[number]


def _text(storage: Storage, index: CorpusIndex, found: _Leaves, place: int) -> bytes:
    part, row = index.inputs[int(found.part[place])].part, int(found.row[place])
    text = _row_text(storage, _path(part), row)
    if leaf_hash(found.keys[place].tobytes(), text) != found.digests[place].tobytes():
        raise Contradiction(f"row {row} of {storage.root}/{_path(part)} is not the one in its Merkle tree; {AUDIT}")
    return text


def _row_text(storage: Storage, path: str, row: int) -> bytes:
    with storage.open(path) as source:
        file = pq.ParquetFile(source)
        ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)])
        group = int(np.searchsorted(ends, row, "right"))
        table = file.read_row_group(group, columns=schema.LEDGER.names, use_threads=False)
        place = row - (int(ends[group - 1]) if group else 0)
        (batch,) = table.slice(place, 1).combine_chunks().to_batches()
    text: bytes = row_texts(batch)[0].as_py()
    return text
