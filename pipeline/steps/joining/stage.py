"""The barrier stage of a task, and what of its answers the engine checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lauter.pipeline.comparing import BarrierStage, Signed
from lauter.pipeline.contract import StageContext
from lauter.pipeline.specs import reads_of
from lauter.pipeline.steps.isolate import StageError
from lauter.pipeline.task import Task
from lauter.pipeline.worker import opened


def stage_of(task: Task) -> BarrierStage:
    """The stage of a task's `stage`, opened."""
    stage: BarrierStage = opened(task.args["stage"], StageContext(seed=task.args["seed"]))
    return stage


SOURCE = "source"
"""The column with the name of a document's source: the engine adds it, as it is in no file."""


def stored_columns(spec: Mapping[str, Any]) -> list[str]:
    """The columns that a stage reads and documents/ has, sorted."""
    return sorted(reads_of(spec) - {SOURCE})


def with_source(batch: pa.RecordBatch, source: str) -> pa.RecordBatch:
    """A batch of one source's documents with the column `source`."""
    return batch.append_column(SOURCE, pa.repeat(pa.scalar(source, pa.string()), batch.num_rows))


def signed(stage: BarrierStage, batch: pa.RecordBatch) -> Signed:
    """`stage.sign`, checked. Raises `StageError` where it returns other shapes or types than the contract has."""
    found, count = stage.sign(batch), batch.num_rows
    _expect(stage, "item", found.item, (count,), np.uint64)
    _expect(stage, "identities", found.identities, (count, len(stage.identities)), np.uint64)
    _expect(stage, "row", found.row, (len(found.key),), np.int64)
    _expect(stage, "key", found.key, (len(found.row),), np.uint64)
    if found.sketches.num_rows != count or not found.sketches.schema.equals(stage.sketches):
        raise StageError(f"stage {stage.name}: sign gave {found.sketches.num_rows} sketches for {count} documents")
    return found


def _expect(stage: BarrierStage, name: str, array: Any, shape: tuple[int, ...], kind: type[Any]) -> None:  # noqa: ANN401 - whatever a stage returned
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != kind:
        told = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise StageError(f"stage {stage.name}: `{name}` must be {np.dtype(kind)} of shape {shape}, not {told}")
