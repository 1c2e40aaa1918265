"""Step `documents`: one file through its reader and all map stages, in one process.

read -> stage -> filter -> stage -> ... -> write. Every record leaves a row in `state/records` (what the ledger is made
of); those that pass all hard decisions leave their text in `documents/` and their scores in `scores/`. In the same pass
the file is counted by other code and digested.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import MapStage, ReadBatch, Reader, StageContext, Verdict
from lauter.pipeline.manifest import load_target
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.layouts import CARRIED, IDENTITY, RECORDS
from lauter.pipeline.steps.quarantine import quarantine_folder
from lauter.pipeline.storage import Output, Storage, open_input, stat
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import artefact_folder, opened


class FileBroken(Exception):
    """A file can't be accounted for: the reader's rows and the independent count differ."""


@dataclass
class Tally:
    """What the driver and the report want to know of a task."""

    records: int = 0
    documents: int = 0
    payload_bytes: int = 0
    position: int = 0
    """Bytes of the file that are behind us, as far as the reader's offsets tell."""
    failed: int = 0
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


def run(task: Task, storage: Storage) -> Result:
    """Read one file to documents, scores and record rows."""
    args = task.args
    reader: Reader = load_target(args["reader"]["target"], "")(
        load_target(args["reader"]["target"], "").Config.model_validate(args["reader"]["config"]), args["source"]
    )
    prepared = {name: [Output.from_json(item) for item in outputs] for name, outputs in args["prepared"].items()}
    with ExitStack() as stack:
        quarantine = stack.enter_context(quarantine_folder(storage))
        stages: list[MapStage] = [
            opened(
                spec,
                StageContext(args["seed"], artefact_folder(storage, prepared.get(spec["name"], [])), quarantine),
            )
            for spec in args["stages"]
        ]
        return _Pass(task, storage, reader, stages).run(stack)


class _Pass:
    def __init__(self, task: Task, storage: Storage, reader: Reader, stages: list[MapStage]) -> None:
        self.task, self.storage, self.reader, self.stages = task, storage, reader, stages
        self.part: str = task.args["part"]
        self.tally = Tally()
        self.failure = ""
        self.document_schema, self.score_schema = schemas(stages)
        self.beat = _Heartbeat(storage, task)

    def run(self, stack: ExitStack) -> Result:
        """All batches of the file, then the count."""
        paths = {
            "records": f"state/records/{self.part}.parquet",
            "documents": f"documents/{self.part}.parquet",
            "scores": f"scores/{self.part}.parquet",
        }
        schemas_ = {"records": RECORDS, "documents": self.document_schema, "scores": self.score_schema}
        if any(getattr(stage, "signals", False) for stage in self.stages):
            paths["signals"], schemas_["signals"] = f"signals/{self.part}.parquet", schema.SIGNAL
        outputs = []
        with ExitStack() as files:
            staged = {name: files.enter_context(self.storage.staging(path)) for name, path in paths.items()}
            sinks = {name: parquet.ParquetSink(staged[name], schemas_[name]) for name in paths}
            ids: list[pa.Array] = []
            with open_input(self.task.args["file"]["uri"]) as stream:
                for batch in self.reader.read(cast(BinaryIO, stream), self.task.args["file"]["name"]):
                    for name, rows in self._batch(batch).items():
                        sinks[name].write(rows)
                    ids.append(batch.records.column("doc_id"))
            for sink in sinks.values():
                sink.close()
            outputs += [parquet.describe(staged[name], path) for name, path in paths.items()]
        outputs.append(self._identity(ids))
        self._check_failures()
        info = {**self.tally.to_json(), "failed": self.tally.failed, "failure": self.failure, **self._count()}
        return Result(tuple(outputs), info)

    def _batch(self, read: ReadBatch) -> dict[str, pa.RecordBatch]:
        count = read.records.num_rows
        first = self.tally.records
        self.tally.records += count
        self.tally.others.update(read.others)
        if "payload" in read.records.schema.names:
            self.tally.payload_bytes += read.records.column("payload").nbytes
        if count:
            last = read.records.num_rows - 1
            end_of_last = read.records.column("offset")[last].as_py() + read.records.column("length")[last].as_py()
            self.tally.position = max(self.tally.position, end_of_last)
        end = _Ends(count)
        verdict = read.verdict
        end.drop("read", self.reader.reasons, np.arange(count), verdict)
        self.tally.stage_rows["read"] += count
        self.tally.stage_dropped["read"] += int((verdict.reason != 0).sum())
        alive = np.flatnonzero(verdict.reason == 0)
        batch = _add_row_numbers(read.records, first).filter(pa.array(verdict.reason == 0))
        found: dict[str, pa.RecordBatch] = {}
        signals: list[pa.RecordBatch] = []
        carried = {name: pa.nulls(count, schema.DOCUMENT.field(name).type) for name in CARRIED}
        for stage in self.stages:
            if not batch.num_rows:
                break
            started = time.perf_counter()
            verdict = isolate.apply(stage, batch)
            self.tally.stage_seconds[stage.name] += time.perf_counter() - started
            self.tally.stage_rows[stage.name] += batch.num_rows
            self.tally.stage_dropped[stage.name] += int((verdict.reason != 0).sum())
            failed = np.flatnonzero(verdict.reason == isolate.FAILED)
            if len(failed) and verdict.rule is not None:
                self.tally.failed += len(failed)
                self.failure = str(verdict.rule[int(failed[0])]["text"])
            end.drop(stage.name, stage.reasons, alive, verdict)
            for name in CARRIED:
                if name in verdict.columns:
                    carried[name] = _scatter(verdict.columns[name], alive, count)
            if verdict.signals is not None:
                signals.append(_signals(verdict.signals, batch))
            batch = _merge(batch, verdict).filter(pa.array(verdict.keep))
            alive = alive[verdict.keep]
            self.beat(self.tally)
        self.tally.documents += batch.num_rows
        digest = text_digests(batch.column("text")) if batch.num_rows else pa.array([], pa.binary(32))
        chars = batch.column("chars") if "chars" in batch.schema.names else pa.nulls(batch.num_rows, pa.int32())
        records = pa.RecordBatch.from_arrays(
            [
                *[read.records.column(name) for name in ("doc_id", "file", "offset", "length", "url", "fetched_at")],
                *[carried[name] for name in CARRIED],
                *end.columns(),
                _scatter(chars, alive, count),
                _scatter(digest, alive, count),
            ],
            schema=RECORDS,
        )
        batch = batch.append_column(pa.field("text_sha256", pa.binary(32)), digest)
        if signals:
            found["signals"] = exchange.one_batch(pa.Table.from_batches(signals))
        found["records"] = records
        found["documents"] = _select(batch, self.document_schema)
        found["scores"] = _select(batch, self.score_schema)
        return found

    def _identity(self, ids: list[pa.Array]) -> Output:
        doc_id = pa.concat_arrays(ids) if ids else pa.array([], schema.DOC_ID)
        words = np.frombuffer(doc_id.buffers()[1] or b"", ">u8").reshape(-1, 2)[
            doc_id.offset : doc_id.offset + len(doc_id)
        ]
        high, low = words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)
        table = pa.Table.from_arrays(
            [pa.array(high), pa.array(low), pa.array(np.arange(len(doc_id), dtype=np.uint32))], schema=IDENTITY
        )
        partitions = self.task.args["partitions"]
        path = f"state/identity/{self.part}.arrow"
        return exchange.write(self.storage, path, table, exchange.partition_of(high, partitions))

    def _count(self) -> dict[str, Any]:
        """The independent count and the file's digest, from a second reading of the bytes."""
        given = self.task.args["file"]
        with open_input(given["uri"]) as stream:
            counted = self.reader.count(cast(BinaryIO, stream))
        digest = hashlib.sha256()
        with open_input(given["uri"]) as stream:
            while block := stream.read(8 << 20):
                digest.update(block)
        now = stat(given["uri"])
        if now is None or (now.size, now.mtime_ns) != (given["size"], given["mtime_ns"]):
            raise FileBroken(f"{given['uri']}: was changed while it was read; run the same command again")
        if counted.rows != self.tally.records:
            raise FileBroken(
                f"{given['uri']}: the reader gave {self.tally.records} rows, the independent count finds "
                f"{counted.records} records and {counted.corrupt_ranges} corrupt ranges; please report this file"
            )
        return {
            "counted": {"records": counted.records, "corrupt_ranges": counted.corrupt_ranges},
            "input_sha256": digest.hexdigest(),
        }

    def _check_failures(self) -> None:
        if isolate.too_many_failed(self.tally.failed, self.tally.records):
            raise isolate.StageError(
                f"{self.task.args['file']['uri']}: {self.failure}, on {self.tally.failed} of {self.tally.records} "
                "records; this is a fault of the stage or its set-up, not of the pages"
            )


class _Ends:
    """Where each record of a batch ended."""

    def __init__(self, count: int) -> None:
        self._stage: list[str | None] = [None] * count
        self._reason: list[str | None] = [None] * count
        self._verdict: list[str | None] = [None] * count
        self._rule: list[dict[str, Any] | None] = [None] * count

    def drop(self, stage: str, reasons: tuple[Any, ...], rows: NDArray[np.int64], verdict: Verdict) -> None:
        """Note the rows that a verdict drops; `rows` are their places in the batch."""
        for index in np.flatnonzero(verdict.reason):
            code, place = int(verdict.reason[index]), int(rows[index])
            name, kind = ("stage-failed", "error") if code == isolate.FAILED else reasons[code - 1][:2]
            self._stage[place], self._reason[place], self._verdict[place] = stage, name, kind
            if verdict.rule is not None:
                self._rule[place] = verdict.rule[int(index)].as_py()

    def columns(self) -> list[pa.Array]:
        """stage, reason, verdict, rule."""
        text = pa.dictionary(pa.int32(), pa.string())
        return [
            pa.array(self._stage, text),
            pa.array(self._reason, text),
            pa.array(self._verdict, text),
            pa.array(self._rule, schema.RULE),
        ]


class _Heartbeat:
    """Leaves the counts of a long task where the driver's progress display finds them."""

    def __init__(self, storage: Storage, task: Task) -> None:
        self._storage, self._path = storage, f"state/progress/{task.name}.json"
        self._every_s = 1.0 if storage.is_local else 15.0
        self._next = time.monotonic() + self._every_s

    def __call__(self, tally: Tally) -> None:
        """Write the counts if it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            self._storage.write_json(self._path, tally.to_json())


def schemas(stages: list[MapStage]) -> tuple[pa.Schema, pa.Schema]:
    """The columns of documents/ and scores/ under these stages."""
    row = pa.field("row", pa.uint32(), nullable=False)
    identity = list(schema.fields(schema.RECORD, *schema.IDENTITY))
    documents = {"text": schema.DOCUMENT.field("text")}
    documents |= {field.name: field for stage in stages for field in stage.documents}
    scores = {field.name: field for stage in stages for field in stage.scores}
    digest = pa.field("text_sha256", pa.binary(32), nullable=False)
    return (
        pa.schema([identity[0], row, *identity[1:], digest, *documents.values()]),
        pa.schema([identity[0], row, *scores.values()]),
    )


def text_digests(text: pa.LargeStringArray) -> pa.Array:
    """SHA-256 of each text's UTF-8 bytes, binary(32)."""
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    data = memoryview(text.buffers()[2] or b"")
    return pa.array(
        [hashlib.sha256(data[start:end]).digest() for start, end in itertools.pairwise(offsets)],
        pa.binary(32),
    )


def _add_row_numbers(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    rows = pa.array(np.arange(first, first + batch.num_rows, dtype=np.uint32))
    return batch.append_column(pa.field("row", pa.uint32(), nullable=False), rows)


def _merge(batch: pa.RecordBatch, verdict: Verdict) -> pa.RecordBatch:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns.update(verdict.columns)
    return pa.RecordBatch.from_pydict(columns)


def _signals(signals: pa.RecordBatch, batch: pa.RecordBatch) -> pa.RecordBatch:
    """What a stage found in the rows of a batch, with the records' own ids and row numbers."""
    rows = signals.column("row")
    columns = {name: signals.column(name) for name in signals.schema.names}
    columns |= {"doc_id": batch.column("doc_id").take(rows), "row": batch.column("row").take(rows)}
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.SIGNAL.names], schema=schema.SIGNAL)


def _select(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays(
        [batch.column(field.name) if field.name in names else pa.nulls(batch.num_rows, field.type) for field in wanted],
        schema=wanted,
    )


def _scatter(values: pa.Array, rows: NDArray[np.int64], count: int) -> pa.Array:
    """Values at their rows among `count`, null elsewhere."""
    place = np.full(count, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0))
