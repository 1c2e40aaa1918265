"""A stage over records, as a build would have it: what came before it, its columns, and its decision.

The stage sees what it would see in a build: the records that its reader and the stages before it let pass. A soft
stage decides from its scores; one that asks something of the whole corpus (`surveying`) is told what was counted over
these files, which are then read twice. Memory: one batch of the reader, and what is counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import PreparedStage, SoftStage, StageContext, Verdict
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.showing import SpanningStage
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.flow import Flow, Tally, merged, scattered
from lauter.pipeline.steps.survey import summed
from lauter.pipeline.stopped import said_by
from lauter.pipeline.surveying import SurveyingStage
from lauter.pipeline.trying.inputs import Inputs, Read
from lauter.pipeline.trying.specs import all_reads

COUNTED = "text"
"""The column whose spans a stage tells (`showing.SpanningStage`)."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One record, and how it ended."""

    given: Mapping[str, Any]
    """Its own fields."""
    before: str | None
    """Its text as the stage saw it; None where it never came so far, or had none."""
    stage: str | None
    """The part that dropped it: `read`, or a stage."""
    verdict: str
    reason: str | None
    rule: Mapping[str, Any] | None
    columns: Mapping[str, Any] | None
    """What the stage wrote, by column; None where the record never came so far."""
    spans: tuple[tuple[int, int, str], ...] | None
    """Of a stage that tells them: start, end (code points of `before`) and type of what it found."""


class Trial(AbstractContextManager["Trial"]):
    """Stages that are ready to be tried; the last is the one that is asked about."""

    def __init__(self, specs: Sequence[StageSpec], given: Mapping[str, Any], language: str | None) -> None:
        """Prepare and open them, each from its files.

        Args:
            specs: The stages, in order.
            given: Column -> a function that finds its value in a record's own fields, or None.
            language: The value of the column `language` of all records.

        Raises:
            BuildStopped: A stage cannot be prepared or opened; the message says why.
        """
        self._given, self._language = given, language
        self._scratch = ExitStack()
        self._stages = [self._ready(spec) for spec in specs]
        self.tried = specs[-1]
        self.counted = 0
        """Documents of a survey."""
        self.unknown = 0
        """Records without a value in a column that is taken from their fields."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._scratch.close()

    def surveys(self) -> bool:
        """Whether the stage asks something of the whole corpus."""
        stage = self._stages[-1]
        config = self.tried.load().Config.model_validate(dict(self.tried.config))
        return isinstance(stage, SurveyingStage) and stage.surveys(config)

    def run(self, inputs: Inputs) -> Iterator[Tried]:
        """Every record once, in order.

        Raises:
            StageError: The stage returns other rows or columns than it declares.
        """
        if self.surveys():
            self._survey(inputs)
        for read in inputs:
            yield from self._tried(read)

    def _ready(self, spec: StageSpec) -> Any:  # noqa: ANN401 - a stage of any kind
        folder = None
        if isinstance(stage := spec.make(StageContext()), PreparedStage):
            folder = self._scratch.enter_context(tempfile.TemporaryDirectory(prefix="lauter-try-"))
            with said_by(f"stage {spec.name} cannot be prepared"):
                stage.prepare(folder)
            stage = spec.make(StageContext(artefacts=folder))
        if hasattr(stage, "open"):
            with said_by(f"stage {spec.name} cannot be opened"):
                stage.open()
        return stage

    def _survey(self, inputs: Inputs) -> None:
        stage: SurveyingStage = self._stages[-1]
        numbers = []
        for read in inputs:
            flow = self._flow(read)
            verdict = isolate.apply(self._stages[-1], flow.batch)
            batch = merged(flow.batch, verdict).filter(pa.array(verdict.keep))
            self.counted += batch.num_rows
            found = stage.occurrences(batch)
            numbers.append((found, np.ones(len(found), np.uint64)))
        stage.surveyed(*summed(numbers))

    def _flow(self, read: Read) -> Flow:
        """The records that come so far as the stage."""
        records = read.batch.records
        for name, find in self._given.items():
            values = [self._language if name == "language" and self._language else find(row) for row in read.fields]
            records = records.append_column(
                schema.DOCUMENT.field(name), pa.array(values, schema.DOCUMENT.field(name).type)
            )
        flow = Flow(_replaced(read, records), 0, read.reasons)
        flow.through(self._stages[:-1], Tally(), lambda _: None)
        return flow

    def _tried(self, read: Read) -> Iterator[Tried]:
        flow = self._flow(read)
        stage = self._stages[-1]
        came, seen = flow.alive, flow.batch
        self.unknown += sum(seen.column(name).null_count for name in self._given)
        verdict = _empty(stage) if not seen.num_rows else isolate.apply(stage, seen)
        flow.ends.drop(stage.name, stage.reasons, came, verdict)
        if isinstance(stage, SoftStage) and verdict.keep.any():
            kept = np.flatnonzero(verdict.keep)
            decided = stage.decide(merged(seen, verdict).take(pa.array(kept)))
            flow.ends.drop(self.tried.name, stage.reasons, came[kept], decided)
        stages, reasons, verdicts, rules = (column.to_pylist() for column in flow.ends.columns())
        texts = _texts(seen, came, flow.count)
        wrote = {name: scattered(column, came, flow.count) for name, column in verdict.columns.items()}
        reached = np.zeros(flow.count, np.bool_)
        reached[came] = True
        rows: dict[int, Mapping[str, Any]] = {}
        if isinstance(stage, SpanningStage):
            known = [name for name in all_reads(self.tried) if name in seen.schema.names]
            rows = dict(zip(came.tolist(), seen.select(known).to_pylist(), strict=True))
        for row in range(flow.count):
            before = texts[row].as_py()
            finds = before is not None and row in rows
            yield Tried(
                read.fields[row],
                before,
                stages[row],
                verdicts[row] or "kept",
                reasons[row],
                rules[row],
                {name: column[row].as_py() for name, column in wrote.items()} if reached[row] else None,
                tuple(stage.spans_of(rows[row])) if finds else None,
            )


def _replaced(read: Read, records: pa.RecordBatch) -> Any:  # noqa: ANN401 - a ReadBatch
    return type(read.batch)(records, read.batch.verdict, read.batch.others)


def _texts(batch: pa.RecordBatch, rows: NDArray[np.int64], count: int) -> pa.Array:
    """The text of each record before the stage, null where there is none."""
    if COUNTED not in batch.schema.names or not batch.num_rows:
        return pa.nulls(count, pa.large_string())
    return scattered(batch.column(COUNTED), rows, count)


def _empty(stage: Any) -> Verdict:  # noqa: ANN401 - a stage of any kind
    return Verdict(
        np.empty(0, np.uint8),
        {field.name: pa.nulls(0, field.type) for field in (*stage.documents, *stage.scores)},
    )
