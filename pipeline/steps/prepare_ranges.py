"""Steps of a stage that prepares by ranges of keys: `map`, `answer`, `settle`, `finish`.

map (a task a run of input files) leaves keyed rows and questions; answer (a task a range) hands rows of its range to
the ranges that ask for them; settle (a task a range) reduces a range to what counts; finish (one task) makes the
stage's files of all ranges, which it maps and does not read. What a task holds in memory is one range, or less.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange
from lauter.pipeline.contract import PartitionedStage, StageContext
from lauter.pipeline.steps.prepare import cannot_prepare, publish
from lauter.pipeline.stopped import said_by
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing, made

ROWS, QUESTIONS, ANSWERS, SETTLED = (f"state/prepare-{name}" for name in ("rows", "questions", "answers", "settled"))


def _stage(task: Task) -> PartitionedStage:
    stage: PartitionedStage = made(task.args["stage"], StageContext(seed=task.args["seed"]))
    return stage


def _path(folder: str, task: Task) -> str:
    return f"{folder}/{task.args['stage']['name']}/{task.args['number']:05d}.arrow"


def map_files(task: Task, storage: Storage) -> Result:
    """Rows of some input files, partitioned by key, and what they ask of other ranges."""
    stage, counts = _stage(task), Counter[str]()
    rows_path, questions_path = _path(ROWS, task), _path(QUESTIONS, task)
    with said_by(cannot_prepare(task.args["stage"]["name"])), ExitStack() as stack:
        staged = [stack.enter_context(storage.staging(path)) for path in (rows_path, questions_path)]
        rows = exchange.PartitionedSink(staged[0], stage.prepare_rows)
        asked = exchange.PartitionedSink(staged[1], stage.prepare_questions)
        for table, key in stage.prepare_map([file["uri"] for file in task.args["files"]], counts):
            rows.write(table, exchange.partition_of(key, task.args["ranges"]))
            questions = stage.prepare_ask(table)
            asked.write(questions, np.zeros(questions.num_rows, np.int64))
        rows.close()
        asked.close()
        outputs = (
            exchange.describe(staged[0], rows_path, rows.rows),
            exchange.describe(staged[1], questions_path, asked.rows),
        )
    return Result(outputs, {"counts": dict(counts)})


def answer(task: Task, storage: Storage) -> Result:
    """The rows of one range that rows of other ranges ask for, partitioned by who asks."""
    stage, number = _stage(task), task.args["number"]
    questions = listing(storage, task.args["questions"])
    rows = stage.prepare_rows.empty_table()
    partition = np.zeros(0, np.int64)
    if any(output.rows for output in questions):
        own = _read(storage, task.args["rows"], number, stage.prepare_rows)
        row, asker = stage.prepare_answer(own, _questions(storage, questions, stage.prepare_questions))
        pairs = np.unique(np.column_stack([exchange.partition_of(asker, task.args["ranges"]), row]), axis=0)
        # A range sees its own rows anyway, and another's once, however often it asks.
        pairs = pairs[pairs[:, 0] != number]
        partition, rows = pairs[:, 0], own.take(pa.array(pairs[:, 1]))
    return Result((exchange.write(storage, _path(ANSWERS, task), rows, partition),))


def settle(task: Task, storage: Storage) -> Result:
    """What counts of one range, as one record batch."""
    stage, number, counts = _stage(task), task.args["number"], Counter[str]()
    rows = _read(storage, task.args["rows"], number, stage.prepare_rows)
    answers = _read(storage, task.args["answers"], number, stage.prepare_rows)
    table = stage.prepare_range(rows, answers, counts)
    del rows
    path = _path(SETTLED, task)
    with storage.staging(path) as staged:
        with pa.ipc.new_file(str(staged), stage.prepare_settled) as writer:
            writer.write_batch(exchange.one_batch(table))
        output = exchange.describe(staged, path, table.num_rows)
    return Result((output,), {"counts": dict(counts)})


def finish(task: Task, storage: Storage) -> Result:
    """Everything that the stage leaves in a scratch folder is published under its name, as by `prepare`."""
    stage = _stage(task)
    with tempfile.TemporaryDirectory(prefix="lauter-prepare-") as scratch, ExitStack() as stack:
        inputs, made_here = Path(scratch) / "in", Path(scratch) / "out"
        inputs.mkdir()
        made_here.mkdir()
        tables = [_mapped(storage, output, inputs, stack) for output in listing(storage, task.args["settled"])]
        counts = stage.prepare_finish(tables, str(made_here), Counter(task.args["counts"]))
        return Result(publish(storage, task.args["stage"]["name"], made_here), {"counts": dict(counts)})


def _read(storage: Storage, path: str, number: int, schema: pa.Schema) -> pa.Table:
    """One range of every file of a listing."""
    return exchange.read_parts(storage, [output.path for output in listing(storage, path)], number, schema)[0]


def _questions(storage: Storage, outputs: list[Output], schema: pa.Schema) -> Iterator[pa.Table]:
    for output in outputs:
        for batch in exchange.read(storage, output.path, 0, schema):
            yield pa.Table.from_batches([batch])


def _mapped(storage: Storage, output: Output, folder: Path, stack: ExitStack) -> pa.Table:
    """A settled range, memory-mapped: where it lies, or from a copy where that is on S3."""
    if storage.is_local:
        source: Any = storage.open(output.path)
    else:
        copy = folder / Path(output.path).name
        with storage.open(output.path) as remote, copy.open("wb") as local:
            shutil.copyfileobj(remote, local)
        source = pa.memory_map(str(copy))
    return pa.Table.from_batches([pa.ipc.open_file(stack.enter_context(source)).get_batch(0)])
