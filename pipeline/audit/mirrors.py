"""Copies of records that a stage dropped: that each names such a record, and that corpus.json counts them as they are.

Which documents share a key cannot be told from the files: their texts are there, the text of the record is not. What
can be told is whether ledger, decisions, counts and policy say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.audit.decisions import LOCK
from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.tables import row_groups
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.steps.layouts import MIRROR
from lauter.pipeline.storage import Storage, StorageError


def check_mirrors(
    storage: Storage,
    index: CorpusIndex,
    catalogue: Catalogue,
    parts: list[PartFiles],
    intact: set[str],
    report: AuditReport,
) -> None:
    """Compare decisions, ledger and counts of copies; where a file of them is not intact, that alone is told."""
    if len(parts) < len(index.inputs) or not all({"ledger", "decisions"} <= set(part.files) for part in parts):
        return
    counts, wanted = {"found": 0, "dropped": 0}, set()
    try:
        for part in parts:
            copies = _copies(storage, part)
            ends = _ends(storage, part, copies)
            wanted |= set(copies.column("mirror_of").to_pylist())
            reason = copies.column("reason").cast(pa.string())
            dropped = _flags(pc.equal(reason, MIRROR))
            counts["dropped"] += int((dropped & ends).sum())
            counts["found"] += int(((dropped | _flags(pc.is_null(reason))) & ends).sum())
        missing = wanted - _dropped_records(storage, parts, wanted)
    except StorageError as error:
        report.violations.append(str(error))
        return
    if missing:
        report.violations.append(
            f"decisions/: copies name {counted(len(missing), 'record')} which no ledger part has as dropped, "
            f"such as {min(missing).hex()}"
        )
    report.violations += _miscounts(counts, index.mirrors, report.counts.get("removed", 0))
    if LOCK in intact and index.mirrors is not None:
        policies = _policies(yaml.safe_load(storage.read(LOCK))["stages"], catalogue)
        told = index.mirrors
        if policies and policies == {"drop"} and told.get("found") != told.get("dropped"):
            report.violations.append(
                f"corpus.json: {told.get('found')} copies were found and {told.get('dropped')} dropped, "
                f"but {LOCK} says that all are to be dropped"
            )


def _copies(storage: Storage, part: PartFiles) -> pa.Table:
    """`row`, `reason` and `mirror_of` of the documents that are a copy."""
    groups = row_groups(storage, "decisions", part.files["decisions"].path, "row", "reason", "mirror_of")
    tables = [table.filter(pc.is_valid(table.column("mirror_of"))) for table in groups]
    plain = [table.set_column(1, "reason", table.column("reason").cast(pa.string())) for table in tables]
    layout = pa.schema([("row", pa.uint32()), ("reason", pa.string()), ("mirror_of", schema.DOC_ID)])
    return pa.concat_tables([layout.empty_table(), *(table.cast(layout) for table in plain)])


def _ends(storage: Storage, part: PartFiles, copies: pa.Table) -> NDArray[np.bool_]:
    """Whether each copy is counted: a repeated record is its own copy, and of a removed one nothing is told."""
    rows = copies.column("row").to_numpy().astype(np.int64)
    counted = np.ones(len(rows), np.bool_)
    first = 0
    for table in row_groups(storage, "ledger", part.files["ledger"].path, "verdict", "reason") if len(rows) else ():
        low, high = np.searchsorted(rows, [first, first + table.num_rows])
        here = table.take(pa.array(rows[low:high] - first))
        counted[low:high] = ~(
            _flags(pc.equal(here.column("reason").cast(pa.string()), "same-record"))
            | _flags(pc.equal(here.column("verdict").cast(pa.string()), "removed"))
        )
        first += table.num_rows
    return counted


def _dropped_records(storage: Storage, parts: list[PartFiles], wanted: set[bytes]) -> set[bytes]:
    """Those of some doc_ids that the ledger has as dropped for another reason than being a copy, or as removed."""
    found: set[bytes] = set()
    ids = pa.array(sorted(wanted), schema.DOC_ID)
    for part in parts if wanted else ():
        for table in row_groups(storage, "ledger", part.files["ledger"].path, "doc_id", "verdict", "reason"):
            some = table.filter(pc.is_in(table.column("doc_id"), value_set=ids))
            verdict, reason = (some.column(name).cast(pa.string()) for name in ("verdict", "reason"))
            dropped = _flags(pc.equal(verdict, "dropped")) & ~_flags(pc.equal(reason, MIRROR))
            gone = dropped | _flags(pc.equal(verdict, "removed"))
            found |= set(some.column("doc_id").filter(pa.array(gone)).to_pylist())
    return found


def _miscounts(counts: Mapping[str, int], told: Mapping[str, Any] | None, removed: int) -> Iterator[str]:
    """What corpus.json tells of is as it was before a takedown, which takes at most the removed rows away."""
    for name, count in counts.items():
        said = 0 if told is None else told.get(name)
        if not isinstance(said, int) or not count <= said <= count + removed:
            yield f"corpus.json: {said} copies of dropped records were {name}, decisions/ and ledger/ have {count}"


def _policies(stages: list[dict[str, Any]], catalogue: Catalogue) -> set[str]:
    """What the stages of a lock file want done with copies."""
    found = set()
    for entry in stages:
        ((name, locked),) = entry.items()
        target = catalogue.stages.get(name)
        cls = load_target(target, "") if target else None
        if cls is not None and hasattr(cls, "mirrors"):
            found.add(str(cls.mirrors(cls.Config.model_validate(locked["config"]))))
    return found


def _flags(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = np.asarray(pc.fill_null(values, fill_value=False).to_numpy(), np.bool_)
    return flags
