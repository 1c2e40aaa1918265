"""Steps `survey`, `survey-sums` and `surveyed`: in how many documents of the corpus something occurs that a stage asks.

The stage gives numbers for what occurs in each document, from its scores alone; a part counts them, and they are
summed, a run of parts first where there are many. Memory: the distinct numbers, 16 bytes each, and those of the parts
that are waiting to be summed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import StageContext
from lauter.pipeline.steps.layouts import SURVEY, read_survey
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.surveying import SurveyingStage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, made

PENDING = 1 << 22
"""Numbers that are gathered before they are summed: 64 MB."""

Counts = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""Numbers, sorted, and the documents that each occurs in."""


def survey(task: Task, storage: Storage) -> Result:
    """Count one part's documents by number."""
    args = task.args
    stage: SurveyingStage = made(args["stage"], StageContext(seed=args["seed"]))
    found = (stage.occurrences(batch) for batch in parquet.batches(storage, args["scores"]["path"]))
    counts = summed((numbers, np.ones(len(numbers), np.uint64)) for numbers in found)
    return Result((_write(storage, f"state/survey/{args['stage']['name']}/{args['part']}.arrow", counts),))


def join(task: Task, storage: Storage) -> Result:
    """Sum the counts of the listing: of a run of parts, or of all."""
    args = task.args
    counts = summed(read_survey(storage, output.path) for output in listing(storage, args["listing"]))
    return Result((_write(storage, args["path"], counts),))


def summed(parts: Iterable[Counts], least: int = PENDING) -> Counts:
    """The sums of several counts; their numbers may stand in any order, and more than once.

    `least`: numbers that are gathered before they are summed.
    """
    held: list[Counts] = []
    new, done = 0, 0
    for part in parts:
        held.append(part)
        new += len(part[0])
        if new >= max(least, done):
            # Only when as much is new as was summed before: else a thousand parts would sum it a thousand times.
            held = [_sum(held)]
            new, done = 0, len(held[0][0])
    return _sum(held)


def _sum(parts: list[Counts]) -> Counts:
    number = np.concatenate([np.empty(0, np.uint64), *(part[0] for part in parts)])
    documents = np.concatenate([np.empty(0, np.uint64), *(part[1] for part in parts)])
    order = np.argsort(number, kind="stable")
    number, first = np.unique(number[order], return_index=True)
    return number, np.add.reduceat(documents[order], first) if len(first) else documents


def _write(storage: Storage, path: str, counts: Counts) -> Output:
    table = pa.Table.from_arrays([pa.array(column) for column in counts], schema=SURVEY)
    return exchange.write(storage, path, table, np.zeros(table.num_rows, np.int64))
