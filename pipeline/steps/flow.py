"""One batch of records on its way through the map stages: annotated, filtered, and every end noted."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import MapStage, ReadBatch, Reason, Verdict
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.layouts import CARRIED, TEXT


@dataclass
class Tally:
    """What the driver and the report want to know of a task."""

    records: int = 0
    documents: int = 0
    payload_bytes: int = 0
    position: int = 0
    """Bytes of the file that are behind us, as far as the reader's offsets tell."""
    failed: int = 0
    failure: str = ""
    """What a stage raised last."""
    reused: int = 0
    """Records whose later ends were taken from an earlier run of the task."""
    recomputed: int = 0
    """Records that passed what had to run again, and then the later stages too."""
    others: Counter[str] = field(default_factory=Counter)
    stage_rows: Counter[str] = field(default_factory=Counter)
    stage_dropped: Counter[str] = field(default_factory=Counter)
    stage_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "records": self.records,
            "documents": self.documents,
            "payload_bytes": self.payload_bytes,
            "position": self.position,
            "failed": self.failed,
            "failure": self.failure,
            "reused": self.reused,
            "recomputed": self.recomputed,
            "others": dict(self.others),
            "stages": {
                name: {
                    "rows": rows,
                    "dropped": self.stage_dropped[name],
                    "seconds": round(self.stage_seconds[name], 3),
                }
                for name, rows in self.stage_rows.items()
            },
        }

    def read(self, read: ReadBatch) -> None:
        """Count a batch as it comes from the reader."""
        count = read.records.num_rows
        self.records += count
        self.others.update(read.others)
        if "payload" in read.records.schema.names:
            self.payload_bytes += read.records.column("payload").nbytes
        if count:
            end_of_last = (
                read.records.column("offset")[count - 1].as_py() + read.records.column("length")[count - 1].as_py()
            )
            self.position = max(self.position, end_of_last)
        self.passed("read", count, int((read.verdict.reason != 0).sum()))

    def passed(self, stage: str, rows: int, dropped: int) -> None:
        """Count the rows that a stage saw, and those of them that it dropped."""
        self.stage_rows[stage] += rows
        self.stage_dropped[stage] += dropped


class Ends:
    """Where each record of a batch ended."""

    def __init__(self, count: int) -> None:
        self._stage: list[str | None] = [None] * count
        self._reason: list[str | None] = [None] * count
        self._verdict: list[str | None] = [None] * count
        self._rule: list[dict[str, Any] | None] = [None] * count

    def drop(self, stage: str, reasons: Sequence[Reason], rows: NDArray[np.int64], verdict: Verdict) -> None:
        """Note the rows that a verdict drops; `rows` are their places in the batch."""
        for index in np.flatnonzero(verdict.reason):
            code, place = int(verdict.reason[index]), int(rows[index])
            name, kind = (isolate.FAILED_REASON, "error") if code == isolate.FAILED else reasons[code - 1][:2]
            rule = verdict.rule[int(index)].as_py() if verdict.rule is not None else None
            self.note(place, stage, name, kind, rule)

    def note(self, place: int, stage: str, reason: str, verdict: str, rule: dict[str, Any] | None) -> None:
        """Note the end of the record at one place."""
        self._stage[place], self._reason[place], self._verdict[place] = stage, reason, verdict
        self._rule[place] = rule

    def columns(self) -> list[pa.Array]:
        """stage, reason, verdict, rule."""
        return [
            pa.array(self._stage, TEXT),
            pa.array(self._reason, TEXT),
            pa.array(self._verdict, TEXT),
            pa.array(self._rule, schema.RULE),
        ]


class Flow:
    """The records of one reader batch, and those of them that are still alive.

    `batch` holds the records that no stage has dropped, with a column `row` (their row in the part) and what the
    stages have written; `alive` (int64) are their places among the `count` records that were read.
    """

    def __init__(self, read: ReadBatch, first: int, reasons: Sequence[Reason]) -> None:
        """`first` is the row number of the first record; `reasons` are the reader's."""
        self.count = read.records.num_rows
        self.ends = Ends(self.count)
        self.ends.drop("read", reasons, np.arange(self.count), read.verdict)
        self.alive: NDArray[np.int64] = np.flatnonzero(read.verdict.keep)
        self.batch = add_row_numbers(read.records, first)
        if len(self.alive) < self.count:
            self.batch = self.batch.filter(pa.array(read.verdict.keep))
        self.carried = {name: pa.nulls(self.count, schema.DOCUMENT.field(name).type) for name in CARRIED}
        self.signals: list[pa.RecordBatch] = []

    def through(self, stages: Sequence[MapStage], tally: Tally, beat: Callable[[Tally], None]) -> None:
        """Let the living pass some stages, in order."""
        for stage in stages:
            if not self.batch.num_rows:
                break
            started = time.perf_counter()
            verdict = isolate.apply(stage, self.batch)
            tally.stage_seconds[stage.name] += time.perf_counter() - started
            tally.passed(stage.name, self.batch.num_rows, int((verdict.reason != 0).sum()))
            failed = np.flatnonzero(verdict.reason == isolate.FAILED)
            if len(failed) and verdict.rule is not None:
                tally.failed += len(failed)
                tally.failure = str(verdict.rule[int(failed[0])]["text"])
            self.ends.drop(stage.name, stage.reasons, self.alive, verdict)
            for name in CARRIED:
                if name in verdict.columns:
                    self.carry(name, verdict.columns[name], self.alive)
            if verdict.signals is not None:
                self.signals.append(_signals(verdict.signals, self.batch))
            self.batch = merged(self.batch, verdict)
            if verdict.reason.any():
                # Only then: it copies what is left, payloads and all.
                self.batch = self.batch.filter(pa.array(verdict.keep))
                self.alive = self.alive[verdict.keep]
            beat(tally)

    def carry(self, name: str, values: pa.Array, rows: NDArray[np.int64]) -> None:
        """Give the records at some places their value of a column that the ledger keeps."""
        old = self.carried[name]
        if old.null_count == len(old):
            self.carried[name] = scattered(values, rows, self.count)
            return
        place = np.arange(self.count)
        place[rows] = self.count + np.arange(len(rows))
        self.carried[name] = pa.concat_arrays([old, values]).take(pa.array(place))


def add_row_numbers(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    """A batch with the column `row`, counted from `first`."""
    rows = pa.array(np.arange(first, first + batch.num_rows, dtype=np.uint32))
    return batch.append_column(pa.field("row", pa.uint32(), nullable=False), rows)


def merged(batch: pa.RecordBatch, verdict: Verdict) -> pa.RecordBatch:
    """A batch with the columns that a stage wrote or rewrote."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns.update(verdict.columns)
    return pa.RecordBatch.from_pydict(columns)


def scattered(values: pa.Array, rows: NDArray[np.int64], count: int) -> pa.Array:
    """Values at their rows among `count`, null elsewhere."""
    place = np.full(count, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0))


def _signals(signals: pa.RecordBatch, batch: pa.RecordBatch) -> pa.RecordBatch:
    """What a stage found in the rows of a batch, with the records' own ids and row numbers."""
    rows = signals.column("row")
    columns = {name: signals.column(name) for name in signals.schema.names}
    columns |= {"doc_id": batch.column("doc_id").take(rows), "row": batch.column("row").take(rows)}
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.SIGNAL.names], schema=schema.SIGNAL)
