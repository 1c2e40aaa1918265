"""Documents against the ledger: the same records, the same text, and the soft decisions that the ledger tells of.

Part by part and row group by row group, so that memory depends on the size of a row group alone.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.tables import Rows, row_groups
from lauter.pipeline.cutting import ONLY_REPEATED
from lauter.pipeline.steps.layouts import MIRROR
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.blank import EMPTY_SHA256, REMOVED

LEDGER_COLUMNS = ("doc_id", "verdict", "stage", "reason", "duplicate_of", "text_sha256")
TAIL_ROWS = 1 << 20
"""Ledger rows behind the last document that are looked at in one go."""


def check_documents(storage: Storage, parts: list[PartFiles], report: AuditReport) -> None:
    """Compare each part's documents, scores and decisions with its ledger, as far as they are intact."""
    for part in parts:
        if "documents" not in part.files:
            continue
        try:
            report.violations.extend(_problems(storage, part))
        except StorageError as error:
            report.violations.append(str(error))


def _problems(storage: Storage, part: PartFiles) -> Iterator[str]:
    documents = part.files["documents"]
    beside: dict[str, Rows] = {}
    for kind in ("scores", "decisions"):
        if kind in part.files:
            output = part.files[kind]
            if output.rows == documents.rows:
                beside[kind] = Rows(storage, kind, output.path)
            else:
                yield f"{output.path}: has {output.rows} rows, {documents.path} has {documents.rows}"
    ledger = _Ledger(storage, part.files["ledger"].path) if "ledger" in part.files else None
    last = -1
    for group, table in enumerate(row_groups(storage, "documents", documents.path)):
        where = f"{documents.path}: row group {group}"
        row = table.column("row").to_numpy().astype(np.int64)
        if _text_digests(table.column("text")) != table.column("text_sha256").to_pylist():
            yield f"{where} has texts of another SHA-256 than its column text_sha256 says"
        if (np.diff(row, prepend=last) <= 0).any():
            yield f"{where} is not in the order of the records"
            return
        last = int(row[-1]) if len(row) else last
        aligned = {kind: rows.take(table.num_rows) for kind, rows in beside.items()}
        for kind, other in aligned.items():
            if not (_same(other, table, "row") & _same(other, table, "doc_id")).all():
                yield f"{part.files[kind].path}: is not about the documents of row group {group} of {documents.path}"
        if ledger is not None:
            yield from ledger.problems(where, table, row, aligned.get("decisions"))
    if ledger is not None:
        yield from ledger.rest(documents.path)


class _Ledger:
    """Walks the ledger of one part beside its documents. A ledger row's place is its record's row number."""

    def __init__(self, storage: Storage, path: str) -> None:
        self._path = path
        self._rows = Rows(storage, "ledger", path, *LEDGER_COLUMNS)
        self._next = 0

    def problems(
        self, where: str, documents: pa.Table, row: NDArray[np.int64], decisions: pa.Table | None
    ) -> Iterator[str]:
        """Compare a row group of documents with the ledger's rows up to its last one."""
        first = self._next
        window = self._window(int(row[-1]) + 1 - first if len(row) else 0)
        place = row - first
        if len(place) and place[-1] >= window.num_rows:
            yield f"{where} has documents of records that {self._path} does not have"
            place = place[place < window.num_rows]
            documents = documents.slice(0, len(place))
            decisions = decisions.slice(0, len(place)) if decisions is not None else None
        here = window.take(pa.array(place))
        for name, said in (("doc_id", "another doc_id"), ("text_sha256", "another text_sha256")):
            same = _same(here, documents, name)
            if name == "text_sha256":
                same |= _is_removed(here) & _flags(pc.equal(documents.column(name), EMPTY_SHA256))
            differ = np.flatnonzero(~same)
            if len(differ):
                yield f"{where}: {said} than row {first + place[differ[0]]} of {self._path}; {len(differ)} such rows"
        if decisions is not None:
            differ = np.flatnonzero(~_agrees(here, decisions))
            if len(differ):
                found = here.slice(int(differ[0]), 1).to_pylist()[0]
                yield (
                    f"{self._path}: row {first + place[differ[0]]} says {found['verdict']} ({found['stage']}: "
                    f"{found['reason']}), which is not what decisions/ says; {len(differ)} such rows"
                )
        without = np.ones(window.num_rows, np.bool_)
        without[place] = False
        yield from self._missing(window, without, first, where.partition(": ")[0])

    def rest(self, path: str) -> Iterator[str]:
        """Look at the rows behind the last document: none of them may have one."""
        while True:
            first = self._next
            window = self._window(TAIL_ROWS)
            if not window.num_rows:
                return
            yield from self._missing(window, np.ones(window.num_rows, np.bool_), first, path)

    def _window(self, count: int) -> pa.Table:
        window = self._rows.take(count)
        self._next += window.num_rows
        return window

    def _missing(self, window: pa.Table, without: NDArray[np.bool_], first: int, path: str) -> Iterator[str]:
        verdict = window.column("verdict").cast(pa.string())
        needs = (
            _flags(pc.is_valid(window.column("text_sha256")))
            | _flags(pc.equal(verdict, "kept"))
            | (_flags(pc.equal(verdict, "duplicate")) & ~_same_record(window))
        )
        lost = np.flatnonzero(without & needs)
        if len(lost):
            yield f"{path}: lacks the document of row {first + lost[0]} of {self._path}; {len(lost)} such rows"


def _agrees(ledger: pa.Table, decisions: pa.Table) -> NDArray[np.bool_]:
    """Whether each ledger row tells what its soft decision says; a repeated or removed record need not."""
    verdict = ledger.column("verdict").cast(pa.string())
    against = _flags(pc.is_valid(decisions.column("reason")))
    dropped = _flags(pc.equal(verdict, "dropped"))
    told = dropped & _same(ledger, decisions, "stage") & _same(ledger, decisions, "reason")
    told &= _names_its_record(ledger, decisions)
    copied = _flags(pc.equal(verdict, "duplicate")) & _flags(pc.is_valid(decisions.column("cluster")))
    # Whether something was cut of it, and all, `cuts` checks.
    emptied = dropped & _flags(pc.equal(ledger.column("reason").cast(pa.string()), ONLY_REPEATED))
    free = _flags(pc.equal(verdict, "kept")) | copied | emptied
    agrees: NDArray[np.bool_] = _same_record(ledger) | _is_removed(ledger) | np.where(against, told, free)
    return agrees


def _names_its_record(ledger: pa.Table, decisions: pa.Table) -> NDArray[np.bool_]:
    """Whether a row that is dropped as a copy says of what, and no other dropped row does."""
    record, said = decisions.column("mirror_of"), ledger.column("duplicate_of")
    copy = _flags(pc.equal(decisions.column("reason").cast(pa.string()), MIRROR))
    names: NDArray[np.bool_] = np.where(copy, _flags(pc.equal(said, record)), _flags(pc.is_null(said)))
    return names


def _is_removed(ledger: pa.Table) -> NDArray[np.bool_]:
    return _flags(pc.equal(ledger.column("verdict").cast(pa.string()), REMOVED))


def _same_record(ledger: pa.Table) -> NDArray[np.bool_]:
    return _flags(pc.equal(ledger.column("reason").cast(pa.string()), "same-record"))


def _same(one: pa.Table, other: pa.Table, name: str) -> NDArray[np.bool_]:
    """Whether a column is equal in two tables, row by row; two nulls are."""
    left, right = one.column(name), other.column(name)
    if pa.types.is_dictionary(left.type):
        left, right = left.cast(pa.string()), right.cast(pa.string())
    return _flags(pc.equal(left, right)) | (_flags(pc.is_null(left)) & _flags(pc.is_null(right)))


def _flags(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = np.asarray(pc.fill_null(values, fill_value=False).to_numpy(), np.bool_)
    return flags


def _text_digests(texts: pa.ChunkedArray) -> list[bytes]:
    found = []
    for text in texts.chunks:
        offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1].tolist()
        data = memoryview(text.buffers()[2] or b"")
        found += [hashlib.sha256(data[start:end]).digest() for start, end in itertools.pairwise(offsets)]
    return found
