"""Cuts against the ledger: what was cut of kept documents, and the documents of which too little was left.

Cuts are ranges of the texts in documents/, whose digests are checked elsewhere; tokens are not derived again from them.
Walked beside the ledger, a row group at a time, so that memory depends on the size of a row group alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.tables import Rows, row_groups
from lauter.pipeline.cutting import ONLY_REPEATED
from lauter.pipeline.storage import Storage, StorageError

LEDGER_COLUMNS = ("doc_id", "verdict", "reason", "chars")
COUNTED = ("documents", "dropped", "cut_chars")
REST_ROWS = 1 << 20
"""Ledger rows behind the last cut that are looked at in one go."""


def check_cuts(storage: Storage, index: CorpusIndex, parts: list[PartFiles], report: AuditReport) -> None:
    """Compare cuts, ledger and counts, as far as they are intact; without cuts no document may have ended by them."""
    counts: Counter[str] = Counter()
    complete = len(parts) == len(index.inputs)
    for part in parts:
        if "ledger" not in part.files or ("cuts" in index.files and "cuts" not in part.files):
            complete = False
            continue
        try:
            report.violations.extend(_Walk(storage, part, counts).problems())
        except StorageError as error:
            complete = False
            report.violations.append(str(error))
    if complete:
        report.violations += _miscounts(counts, index)


def _miscounts(counts: Counter[str], index: CorpusIndex) -> Iterator[str]:
    """What corpus.json tells of is as it was before a takedown, which only takes away."""
    told = index.cuts or {}
    for name in COUNTED:
        said = told.get(name, 0)
        less = index.takedown.demands > 0
        if not isinstance(said, int) or said < counts[name] or (said > counts[name] and not less):
            yield f"corpus.json: says {said} of cuts.{name}, cuts/ has {counts[name]}"


class _Walk:
    """Walks the cuts of one part beside its ledger. A ledger row's place is its record's row number."""

    def __init__(self, storage: Storage, part: PartFiles, counts: Counter[str]) -> None:
        self._storage, self._counts = storage, counts
        self._ledger_path = part.files["ledger"].path
        self._cuts_path = part.files["cuts"].path if "cuts" in part.files else None
        self._rows = Rows(storage, "ledger", self._ledger_path, *LEDGER_COLUMNS)
        self._next = 0

    def problems(self) -> Iterator[str]:
        """What is wrong, one sentence for each kind of fault and row group."""
        held: pa.Table | None = None
        for table in row_groups(self._storage, "cuts", self._cuts_path) if self._cuts_path else ():
            held = table if held is None else pa.concat_tables([held, table])
            row = held.column("row").to_numpy().astype(np.int64)
            if (np.diff(row) < 0).any() or (len(row) and row[0] < self._next):
                yield f"{self._cuts_path}: is not in the order of the records"
                return
            # The last document's cuts may go on in the next row group.
            whole = int(np.searchsorted(row, row[-1])) if len(row) else 0
            yield from self._compare(held.slice(0, whole))
            held = held.slice(whole)
        if held is not None:
            yield from self._compare(held)
        while True:
            window = self._rows.take(REST_ROWS)
            if not window.num_rows:
                return
            yield from self._without(window, np.ones(window.num_rows, np.bool_))

    def _compare(self, cuts: pa.Table) -> Iterator[str]:
        """Cuts of whole documents with the ledger's rows up to the last of these."""
        row = cuts.column("row").to_numpy().astype(np.int64)
        if not len(row):
            return
        first = self._next
        window = self._rows.take(int(row[-1]) + 1 - first)
        if row[-1] - first >= window.num_rows:
            yield f"{self._cuts_path}: has cuts of records that {self._ledger_path} does not have"
            return
        touched, place = np.unique(row - first, return_inverse=True)
        start, end = (cuts.column(name).to_numpy().astype(np.int64) for name in ("start", "end"))
        here = window.take(pa.array(touched))
        chars = pc.fill_null(here.column("chars"), -1).to_numpy().astype(np.int64)
        known = chars[place] >= 0
        wrong = (start < 0) | (end <= start) | (known & (end > chars[place]))
        wrong[1:] |= (row[1:] == row[:-1]) & (start[1:] < end[:-1])
        if wrong.any():
            yield f"{self._cuts_path}: {counted(int(wrong.sum()), 'cut')} overlap or reach out of their text"
        other = ~_flags(pc.equal(here.column("doc_id").take(pa.array(place)), cuts.column("doc_id")))
        if other.any():
            yield f"{self._cuts_path}: {counted(int(other.sum()), 'cut')} name another doc_id than {self._ledger_path}"
        gone = np.bincount(place, end - start, len(touched)).astype(np.int64)
        dropped = _ended(here)
        kept = _flags(pc.equal(here.column("verdict").cast(pa.string()), "kept"))
        bad = np.where(dropped, gone != chars, ~kept | (gone == chars)) & (chars >= 0)
        bad |= ~dropped & ~kept
        if bad.any():
            yield (
                f"{self._cuts_path}: cuts of row {first + touched[bad][0]} of {self._ledger_path} and its verdict do "
                f"not agree; {int(bad.sum())} such rows"
            )
        self._counts["documents"] += int(kept.sum())
        self._counts["dropped"] += int(dropped.sum())
        self._counts["cut_chars"] += int(gone.sum())
        without = np.ones(window.num_rows, np.bool_)
        without[touched] = False
        yield from self._without(window, without)

    def _without(self, window: pa.Table, without: NDArray[np.bool_]) -> Iterator[str]:
        """Rows of the ledger that have no cuts: none of them may have ended by them."""
        lost = np.flatnonzero(without & _ended(window))
        if len(lost):
            yield (
                f"{self._ledger_path}: row {self._next + lost[0]} says {ONLY_REPEATED}, and nothing was cut of it; "
                f"{len(lost)} such rows"
            )
        self._next += window.num_rows


def _ended(ledger: pa.Table) -> NDArray[np.bool_]:
    verdict, reason = (ledger.column(name).cast(pa.string()) for name in ("verdict", "reason"))
    return _flags(pc.equal(verdict, "dropped")) & _flags(pc.equal(reason, ONLY_REPEATED))


def _flags(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = np.asarray(pc.fill_null(values, fill_value=False).to_numpy(), np.bool_)
    return flags
