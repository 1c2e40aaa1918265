"""Which record a duplicate is a copy of: one of this corpus, or of an older one that it was compared with.

The ledger has only the doc_id of it. A record of the same doc_id may stand in this corpus and in an older one, as where
both have read one file: this corpus's own is the original only if it could be, that is if the comparison left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from lauter.pipeline import parquet, schema
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.finished import read_corpus
from lauter.pipeline.likeness import Place
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.older import LOCK, corpus_fields
from lauter.pipeline.storage import Storage, StorageError

SAME_RECORD = "same-record"
EXACT = "exact-duplicate"

TOLD = ("url", "source", "file", "offset", "verdict", "reason")
"""Columns of the ledger that an original is told by."""

READ = ("doc_id", *TOLD, "stage", "shard", "text_sha256")


def add_originals(
    storage: Storage, corpus: CorpusIndex, order: Sequence[str], catalogue: Catalogue, found: Sequence[dict[str, Any]]
) -> dict[int, Place]:
    """Add `original` to the ledger rows `found` that are copies; returns where each stands, by its number in `found`.

    Of a repeated record it is the first one, else the document that was kept. One of an older corpus has besides
    `corpus`, the run folder of that. Where it is not found, the row gets `unread`: older run folders that can't be
    read.

    Args:
        storage: the run folder.
        corpus: what it holds.
        order: its stages, `read` first.
        catalogue: the stages, which say what parameter names older corpora.
        found: ledger rows, changed in place.

    Raises:
        StorageError: a file of this corpus can't be read.
    """
    own = _records(storage, corpus, {row["duplicate_of"] for row in found} - {None})
    places: dict[int, Place] = {}
    compared: dict[int, dict[str, Any]] = {}
    for number, row in enumerate(found):
        record = own.get(row["duplicate_of"])
        if row["verdict"] != "duplicate" or row["reason"] == SAME_RECORD or (record and _was_kept(record, row, order)):
            if record:
                row["original"] = _told(record)
                places[number] = record["place"]
        else:
            compared[number] = row
    if not compared:
        return places
    unread = _add_older(_older_roots(storage, order, catalogue), compared, places)
    for number, row in compared.items():
        if "original" in row:
            continue
        record = own.get(row["duplicate_of"])
        if unread:
            row["unread"] = unread
        elif record and record["verdict"] == "removed":
            # What had ended it before is forgotten; no other corpus has it.
            row["original"] = _told(record)
            places[number] = record["place"]
    return places


def _was_kept(record: Mapping[str, Any], copy: Mapping[str, Any], order: Sequence[str]) -> bool:
    """Whether the comparison left a record of this corpus, so that `copy` may be a copy of it."""
    digests = {record["text_sha256"], copy["text_sha256"]} - {None}
    if copy["reason"] == EXACT and len(digests) > 1:
        return False
    if record["verdict"] in ("kept", "removed"):
        return record["shard"] is not None
    # A later stage, which cuts passages, may have dropped what the comparison left.
    after = order[order.index(copy["stage"]) + 1 :] if copy["stage"] in order else ()
    return record["verdict"] == "dropped" and record["stage"] in after


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in TOLD}


def _records(storage: Storage, corpus: CorpusIndex, wanted: set[bytes]) -> dict[bytes, dict[str, Any]]:
    """Ledger rows by doc_id, the first of each, without repeated records; each with its `place`."""
    found: dict[bytes, dict[str, Any]] = {}
    ids = pa.array(sorted(wanted), schema.DOC_ID)
    for entry in corpus.inputs if wanted else ():
        first = 0
        for batch in parquet.batches(storage, f"ledger/{entry.part}.parquet", list(READ)):
            one_of = pc.is_in(batch.column("doc_id"), value_set=ids)
            at = np.flatnonzero(one_of.to_numpy(zero_copy_only=False)).tolist()
            for number, row in zip(at, batch.filter(one_of).to_pylist(), strict=True):
                if row["reason"] != SAME_RECORD:
                    found.setdefault(row["doc_id"], {**row, "place": Place(storage, entry.part, first + number)})
            first += batch.num_rows
        if len(found) == len(wanted):
            break
    return found


def _older_roots(storage: Storage, order: Sequence[str], catalogue: Catalogue) -> list[str]:
    """The run folders that a stage was told to compare with, as the lock file has them, each once."""
    fields = {
        name: corpus_fields(load_target(catalogue.barriers[name], "")) for name in order if name in catalogue.barriers
    }
    try:
        stages = {name: told for entry in yaml.safe_load(storage.read(LOCK))["stages"] for name, told in entry.items()}
        roots = [root for name in fields for field in fields[name] for root in stages[name]["config"][field]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{storage.root}/{LOCK} is no lock file of a build: {type(error).__name__}") from error
    return list(dict.fromkeys(roots))


def _add_older(roots: Sequence[str], found: Mapping[int, dict[str, Any]], places: dict[int, Place]) -> list[str]:
    """Add the originals that older corpora have, and their places: of the first that kept one, as a build takes them.

    Returns the run folders that cannot be read.
    """
    unread: list[str] = []
    for root in roots:
        wanted = {row["duplicate_of"] for row in found.values() if "original" not in row}
        try:
            storage = Storage(root)
            records = _records(storage, read_corpus(storage)[1], wanted)
        except (StorageError, pa.ArrowException, OSError, KeyError):
            unread.append(root)
            continue
        for number, row in found.items():
            record = records.get(row["duplicate_of"])
            # Kept, or taken down since the build.
            if "original" not in row and record and record["verdict"] in ("kept", "removed"):
                row["original"] = {**_told(record), "corpus": root}
                places[number] = record["place"]
    return unread
