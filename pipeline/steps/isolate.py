"""Runs a stage on a batch so that one bad row can't take the others with it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import exchange, schema
from lauter.pipeline.contract import MapStage, Verdict

FAILED = 255
"""The reason code of a row on which the stage itself raised."""

FAILED_REASON = "stage-failed"
"""What the ledger calls it."""


FAILED_ROWS = 16
FAILED_SHARE = 0.01
"""Above this many rows and this share of all, a stage that raises is broken, and the pages are not."""


def too_many_failed(failed: int, records: int) -> bool:
    """Whether so many rows ended as `stage-failed` that the stage, or its set-up, must be at fault."""
    return failed > max(FAILED_ROWS, FAILED_SHARE * records)


class StageError(Exception):
    """A stage broke its contract or failed on nearly everything; the task can't be done."""


def apply(stage: MapStage, batch: pa.RecordBatch) -> Verdict:
    """`stage.apply`, checked; a batch that raises is halved until the rows that raise stand alone (code `FAILED`).

    Raises `StageError` where the stage returns other rows or columns than it declares.
    """
    try:
        verdict = stage.apply(batch)
    except Exception as error:
        if batch.num_rows == 1:
            return _failed(stage, batch, error)
        half = batch.num_rows // 2
        return _joined(apply(stage, batch.slice(0, half)), apply(stage, batch.slice(half)))
    _check(stage, batch, verdict)
    return verdict


def _declared(stage: MapStage, batch: pa.RecordBatch) -> pa.Schema:
    """What a verdict about a batch must have; marks besides, where the batch has them and the stage moves them."""
    ledger: pa.Schema = getattr(stage, "ledger", pa.schema([]))
    names = {field.name: field for schema_ in (stage.documents, stage.scores, ledger) for field in schema_}
    if getattr(stage, "moves_marks", False) and "marks" in batch.schema.names:
        names["marks"] = schema.RECORD.field("marks")
    return pa.schema(list(names.values()))


def _check(stage: MapStage, batch: pa.RecordBatch, verdict: Verdict) -> None:
    declared = _declared(stage, batch)
    if verdict.reason.shape != (batch.num_rows,) or verdict.reason.dtype != np.uint8:
        raise StageError(f"stage {stage.name}: `reason` must be uint8 of {batch.num_rows} rows")
    if set(verdict.columns) != set(declared.names):
        raise StageError(f"stage {stage.name}: wrote columns {sorted(verdict.columns)}, declares {declared.names}")
    for name, column in verdict.columns.items():
        if len(column) != batch.num_rows or column.type != declared.field(name).type:
            raise StageError(
                f"stage {stage.name}: column {name} has {len(column)} rows of {column.type}, "
                f"expected {batch.num_rows} of {declared.field(name).type}"
            )
    if verdict.rule is not None and len(verdict.rule) != batch.num_rows:
        raise StageError(f"stage {stage.name}: `rule` has {len(verdict.rule)} rows, expected {batch.num_rows}")


def _failed(stage: MapStage, batch: pa.RecordBatch, error: Exception) -> Verdict:
    rule = {"agent": None, "signal": None, "line": None, "text": f"{type(error).__name__} in stage {stage.name}"}
    return Verdict(
        np.array([FAILED], np.uint8),
        {field.name: pa.nulls(1, field.type) for field in _declared(stage, batch)},
        pa.array([rule], schema.RULE),
    )


def _joined(first: Verdict, second: Verdict) -> Verdict:
    def rule(verdict: Verdict) -> pa.StructArray:
        return verdict.rule if verdict.rule is not None else pa.nulls(len(verdict.reason), schema.RULE)

    signals = [v.signals for v in (first, second) if v.signals is not None]
    if second.signals is not None:
        moved = pc.add(second.signals.column("row"), pa.scalar(len(first.reason), pa.uint32()))
        signals[-1] = second.signals.set_column(0, second.signals.schema.field("row"), moved)
    return Verdict(
        np.concatenate([first.reason, second.reason]),
        {name: pa.concat_arrays([column, second.columns[name]]) for name, column in first.columns.items()},
        pa.concat_arrays([rule(first), rule(second)]),
        exchange.one_batch(pa.Table.from_batches(signals)) if signals else None,
    )
