"""Takedowns: every row that a demand hits is removed, no other is, and nothing of it is left in any published file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import exchange
from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.proof.leaves import ledger_batches
from lauter.pipeline.steps.layouts import ITEMS, KEYS
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.takedown import blank
from lauter.pipeline.takedown.demands import TOMBSTONES, Demand, DemandError, parse_tombstones
from lauter.pipeline.takedown.find import Indexes, Matcher

COLUMNS = ["doc_id", "url", "verdict", "stage", "reason"]
BLANKED = {"documents": (), "scores": (), "decisions": blank.DECISION_COLUMNS}
"""Folders with a row a document -> the columns besides identity that stay of a removed one."""


def check_takedown(
    storage: Storage, index: CorpusIndex, parts: list[PartFiles], intact: set[str], report: AuditReport
) -> None:
    """Look every ledger row up among the demands, and look for what should not be there."""
    demands = _demands(storage, index, intact, report)
    if demands is None:
        return
    matcher = Matcher(demands)
    signals = {output.path: output for output in index.outputs("signals")} if "signals" in index.files else {}
    for part in parts:
        if "ledger" not in part.files:
            continue
        try:
            removed, problems = _ledger_problems(storage, part.files["ledger"].path, matcher)
            report.violations += problems
            if not len(removed):
                continue
            for kind, stays in BLANKED.items():
                if kind in part.files:
                    report.violations.extend(_left(storage, part.files[kind], removed, stays))
            path = f"signals/{part.entry.part}.parquet"
            if path in signals and path in intact:
                report.violations.extend(_signals_left(storage, path, removed))
            signed = [f"signatures/{kind}/{part.entry.part}.arrow" for kind in ("items", "keys")]
            if intact.issuperset(signed):
                report.violations.extend(_signatures_left(storage, signed[0], signed[1], removed))
        except (StorageError, pa.ArrowException, OSError) as error:
            report.violations.append(f"{part.entry.part}: cannot be looked through for what was removed: {error}")


def _demands(storage: Storage, index: CorpusIndex, intact: set[str], report: AuditReport) -> list[Demand] | None:
    """The corpus's demands; None where they cannot be known, with the violation noted."""
    if index.takedown.demands == 0 and TOMBSTONES not in intact:
        return []
    if TOMBSTONES not in intact:
        report.violations.append(
            f"{TOMBSTONES}: corpus.json knows {counted(index.takedown.demands, 'demand')}, and no intact list"
        )
        return None
    data = storage.read(TOMBSTONES)
    if hashlib.sha256(data).hexdigest() != index.takedown.sha256:
        report.violations.append(f"{TOMBSTONES}: is not the list that the corpus was masked with")
    try:
        return parse_tombstones(data, TOMBSTONES)
    except DemandError as error:
        report.violations.append(str(error))
        return None


def _ledger_problems(storage: Storage, path: str, matcher: Matcher) -> tuple[Indexes, list[str]]:
    """(rows that are removed, what is wrong with the part's verdicts)."""
    problems: list[str] = []
    rows: list[Indexes] = [np.empty(0, np.int64)]
    start = 0
    kinds = np.array([item.kind for item in matcher.demands] or [""], object)
    for batch in ledger_batches(storage, path, COLUMNS):
        first = matcher.first(batch)
        verdict, stage, reason = (
            np.array(batch.column(name).cast(pa.string()).to_pylist(), object)
            for name in ("verdict", "stage", "reason")
        )
        removed = verdict == blank.REMOVED
        told = (stage == blank.STAGE) & (reason == kinds[np.maximum(first, 0)])
        for wrong, said in (
            ((first >= 0) & ~removed, "is hit by a demand and is not removed"),
            (removed & (first < 0), "is removed, and no demand hits it"),
            (removed & (first >= 0) & ~told, "is removed for another reason than the demand that hits it"),
        ):
            found = np.flatnonzero(wrong)
            if len(found):
                number = int(found[0])
                url = batch.column("url")[number].as_py() or batch.column("doc_id")[number].as_py().hex()
                problems.append(f"{path}: row {start + number} ({url}) {said}; {len(found)} such rows from there on")
        rows.append(start + np.flatnonzero(removed))
        start += batch.num_rows
    return np.concatenate(rows), problems


def _left(storage: Storage, output: Output, removed: Indexes, stays: Sequence[str]) -> Iterator[str]:
    """Row groups in which a removed record has more than its identity."""
    for group, table, mask in _groups_with(storage, output.path, removed):
        blanked = blank.without_text(table, mask, *stays)
        differ = [name for name in table.column_names if not _equal(table.column(name), blanked.column(name))]
        if differ:
            yield f"{output.path}: row group {group} holds removed records' {', '.join(differ)}"


def _signals_left(storage: Storage, path: str, removed: Indexes) -> Iterator[str]:
    for group, _, mask in _groups_with(storage, path, removed):
        yield f"{path}: row group {group} holds {counted(int(mask.sum()), 'signal')} of removed records"


def _signatures_left(storage: Storage, items: str, keys: str, removed: Indexes) -> Iterator[str]:
    """Signatures of removed records, and keys of a part that no row of it has."""
    held = [np.empty(0, np.uint64)]
    left = 0
    for batch in exchange.messages(storage, items, ITEMS):
        left += int(np.isin(batch.column("row").to_numpy(), removed).sum())
        held.append(batch.column("item").to_numpy())
    if left:
        yield f"{items}: holds {counted(left, 'signature')} of removed records"
    known = np.unique(np.concatenate(held))
    stray = sum(
        int((~np.isin(batch.column("item").to_numpy(), known)).sum())
        for batch in exchange.messages(storage, keys, KEYS)
    )
    if stray:
        yield f"{keys}: holds {counted(stray, 'key')} of no row of {items}"


def _groups_with(storage: Storage, path: str, removed: Indexes) -> Iterator[tuple[int, pa.Table, blank.Mask]]:
    with storage.open(path) as source:
        file = pq.ParquetFile(source)
        for group in range(file.num_row_groups):
            mask = np.isin(file.read_row_group(group, columns=["row"]).column("row").to_numpy(), removed)
            if mask.any():
                yield group, file.read_row_group(group, use_threads=False), mask


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(one.type):
        one, other = one.cast(one.type.value_type), other.cast(one.type.value_type)
    return bool(one.equals(other))
