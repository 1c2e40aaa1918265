"""Step `annotate`: the stages that asked for a step of their own, over the documents of one part.

They see the text as all other stages have left it, and the scores so far; what they write joins these. Memory: a row
group of documents, and the scores of the part.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import MapStage
from lauter.pipeline.specs import reads_of, spec_class
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.documents import schemas
from lauter.pipeline.steps.flow import Tally, merged
from lauter.pipeline.steps.quarantine import quarantine_folder
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import prepared_stages

IDENTITY = ("doc_id", "row")


def run(task: Task, storage: Storage) -> Result:
    """Score one part. Raises `StageError` where a stage drops rows, or fails on many."""
    args = task.args
    written, whole = schemas([spec_class(spec) for spec in args["columns"]])
    wanted = {name for spec in args["stages"] for name in reads_of(spec)}
    columns = [*IDENTITY, *(name for name in written.names if name in wanted and name not in IDENTITY)]
    scores = exchange.one_batch(parquet.read(storage, args["fused"]["path"]))
    tally, path = Tally(), f"scores/{args['part']}.parquet"
    with quarantine_folder(storage) as quarantine, storage.staging(path) as staged:
        stages: list[MapStage] = prepared_stages(task, storage, quarantine)
        sink = parquet.ParquetSink(staged, whole)
        for documents in parquet.batches(storage, args["documents"]["path"], columns):
            known = scores.slice(tally.documents, documents.num_rows)
            if not known.column("row").equals(documents.column("row")):
                raise RuntimeError(f"{args['part']}: documents and scores from {tally.documents} on do not agree")
            tally.documents += documents.num_rows
            batch = _side_by_side(documents, known)
            for stage in stages:
                batch = _scored(stage, batch, tally)
            sink.write(pa.RecordBatch.from_arrays([batch.column(name) for name in whole.names], schema=whole))
        sink.close()
        output = parquet.describe(staged, path)
    if isolate.too_many_failed(tally.failed, tally.documents):
        raise isolate.StageError(
            f"{args['part']}: {tally.failure}, on {tally.failed} of {tally.documents} documents; this is a fault of "
            "the stage or its set-up, not of the pages"
        )
    return Result((output,), tally.to_json())


def _side_by_side(documents: pa.RecordBatch, scores: pa.RecordBatch) -> pa.RecordBatch:
    columns = dict(zip(scores.schema.names, scores.columns, strict=True))
    columns |= dict(zip(documents.schema.names, documents.columns, strict=True))
    return pa.RecordBatch.from_pydict(columns)


def _scored(stage: MapStage, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
    started = time.perf_counter()
    verdict = isolate.apply(stage, batch)
    tally.stage_seconds[stage.name] += time.perf_counter() - started
    tally.passed(stage.name, batch.num_rows, 0)
    failed = np.flatnonzero(verdict.reason == isolate.FAILED)
    if len(failed) < np.count_nonzero(verdict.reason):
        raise isolate.StageError(f"stage {stage.name}: has a step of its own, where no row can be dropped")
    if len(failed) and verdict.rule is not None:
        tally.failed += len(failed)
        tally.failure = str(verdict.rule[int(failed[0])]["text"])
    return merged(batch, verdict)
