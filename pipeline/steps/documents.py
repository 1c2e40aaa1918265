"""Step `documents`: one file through its reader and all map stages, in one process.

read -> stage -> filter -> stage -> ... -> write. Every record leaves a row in `state/records` (what the ledger is made
of); those that pass all hard decisions leave their text in `documents/` and their scores in `scores/`. In the same pass
the file is counted by other code and digested.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import MapStage, ReadBatch, Reader
from lauter.pipeline.cuts import code_points
from lauter.pipeline.glancing import Seen
from lauter.pipeline.identity import payload_hashes
from lauter.pipeline.marking import is_marked, mark_problem
from lauter.pipeline.planted import planted_buckets
from lauter.pipeline.sorted_runs import SortedSink
from lauter.pipeline.specs import spec_class
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.flow import Flow, Tally, scattered
from lauter.pipeline.steps.layouts import CARRIED, IDENTITY, RECORDS
from lauter.pipeline.steps.quarantine import quarantine_folder
from lauter.pipeline.steps.reuse import earlier_run, made_with
from lauter.pipeline.steps.source import FileBroken, check_unchanged, reader_of
from lauter.pipeline.storage import Storage, open_input
from lauter.pipeline.task import REUSABLE, Result, Task
from lauter.pipeline.worker import prepared_stages

IDENTITY_MESSAGE_BYTES = 16 << 10
"""Of 500,000 ids, which are 10 MB. Of 4,096 ranges each reads the index, 24 bytes a message, and a message or two: this
is where both together are least."""

PAYLOAD_HASH = pa.field("payload_hash", pa.uint64())
"""xxh3-64 of a record's payload, null where its reader gives text: by it a stage may find equal payloads."""


def run(task: Task, storage: Storage) -> Result:
    """Read one file to documents, scores and record rows."""
    with quarantine_folder(storage) as quarantine:
        stages: list[MapStage] = [] if task.args["planted"] else prepared_stages(task, storage, quarantine)
        return _Pass(task, storage, reader_of(task.args), stages).run()


class _Pass:
    def __init__(self, task: Task, storage: Storage, reader: Reader, stages: list[MapStage]) -> None:
        self.task, self.storage, self.reader, self.stages = task, storage, reader, stages
        self.part: str = task.args["part"]
        self.tally = Tally()
        self.document_schema, self.score_schema = schemas([spec_class(spec) for spec in task.args["columns"]])
        self.beat = _Heartbeat(storage, task)
        self.seen = Seen(reader)
        self.planted: bool = task.args["planted"]
        self.marked = is_marked(reader)
        if self.marked:
            self.document_schema = self.document_schema.append(schema.DOCUMENT.field("marks"))
        # Marks and text come from one run: an earlier text may be rewritten, and marks are in no stage's columns.
        self.earlier = None if self.planted or self.marked else earlier_run(task, storage, stages)

    def run(self) -> Result:
        """All batches of the file, then the count."""
        paths = {
            "records": f"state/records/{self.part}.parquet",
            "documents": f"documents/{self.part}.parquet",
            "scores": f"{self.task.args['scores']}/{self.part}.parquet",
        }
        schemas_ = {"records": RECORDS, "documents": self.document_schema, "scores": self.score_schema}
        if any(getattr(stage, "signals", False) for stage in self.stages):
            paths["signals"], schemas_["signals"] = f"signals/{self.part}.parquet", schema.SIGNAL
        identity_path = f"state/identity/{self.part}.arrow"
        outputs = []
        with ExitStack() as files:
            staged = {name: files.enter_context(self.storage.staging(path)) for name, path in paths.items()}
            sinks = {name: parquet.ParquetSink(staged[name], schemas_[name]) for name in paths}
            identity = files.enter_context(self.storage.staging(identity_path))
            ids = SortedSink(identity, IDENTITY, IDENTITY_MESSAGE_BYTES)
            with open_input(self.task.args["file"]["uri"]) as stream:
                for batch in self.reader.read(cast(BinaryIO, stream), self.task.args["file"]["name"]):
                    for name, rows in self._batch(batch).items():
                        sinks[name].write(rows)
                    ids.write(identities(batch.records.column("doc_id"), ids.rows))
            ids.close()
            for sink in sinks.values():
                sink.close()
            outputs += [parquet.describe(staged[name], path) for name, path in paths.items()]
            outputs.append(exchange.describe(identity, identity_path, ids.rows))
        self._check_failures()
        info = {**self.tally.to_json(), **self._count(), REUSABLE: made_with(self.task)}
        if self.planted:
            info["probes"] = planted_buckets(self.reader, self.task.args["file"]["uri"])
        return Result(tuple(outputs), info)

    def _batch(self, read: ReadBatch) -> dict[str, pa.RecordBatch]:
        flow = Flow(read, self.tally.records, self.reader.reasons)
        self.tally.read(read)
        self.seen.add(read.verdict)
        if self.earlier is None:
            flow.through(self.stages, self.tally, self.beat)
        else:
            self.earlier.through(flow, self.tally, self.beat)
        batch, alive = flow.batch, flow.alive
        self.tally.documents += batch.num_rows
        digest = text_digests(batch.column("text")) if batch.num_rows else pa.array([], pa.binary(32))
        if self.marked and batch.num_rows:
            problem = mark_problem(batch.column("marks"), code_points(batch.column("text")))
            if problem is not None:
                raise isolate.StageError(f"{self.task.args['file']['uri']}: {problem}: a stage has not moved the marks")
        # Texts that came as such may pass no stage that counts them, and the ledger tells the length of every text.
        counted = "chars" in batch.schema.names
        chars = batch.column("chars") if counted else pc.utf8_length(batch.column("text")).cast(pa.int32())
        records = pa.RecordBatch.from_arrays(
            [
                *[read.records.column(name) for name in ("doc_id", "file", "offset", "length", "url", "fetched_at")],
                *[flow.carried[name] for name in CARRIED],
                *flow.ends.columns(),
                scattered(chars, alive, flow.count),
                scattered(digest, alive, flow.count),
            ],
            schema=RECORDS,
        )
        batch = batch.append_column(pa.field("text_sha256", pa.binary(32)), digest)
        # From what was read: a record that was not run again has lost its payload on the way.
        payload = payload_hashes(read.records.column("payload")).take(pa.array(alive))
        batch = batch.append_column(PAYLOAD_HASH, payload)
        found = {
            "records": records,
            "documents": _select(batch, self.document_schema),
            "scores": _select(batch, self.score_schema),
        }
        if flow.signals:
            found["signals"] = exchange.one_batch(pa.Table.from_batches(flow.signals))
        return found

    def _count(self) -> dict[str, Any]:
        """The independent count, by a glance where that will do, and the file's digest, from a second reading."""
        given = self.task.args["file"]
        with open_input(given["uri"]) as stream:
            counted = self.seen.counted(cast(BinaryIO, stream))
        digest = hashlib.sha256()
        with open_input(given["uri"]) as stream:
            while block := stream.read(8 << 20):
                digest.update(block)
        check_unchanged(given)
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
                f"{self.task.args['file']['uri']}: {self.tally.failure}, on {self.tally.failed} of "
                f"{self.tally.records} records; this is a fault of the stage or its set-up, not of the pages"
            )


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


def schemas(stages: Sequence[type[MapStage]]) -> tuple[pa.Schema, pa.Schema]:
    """The columns of documents/ and scores/ under these stages."""
    row = pa.field("row", pa.uint32(), nullable=False)
    identity = list(schema.fields(schema.RECORD, *schema.IDENTITY))
    documents = {"text": schema.DOCUMENT.field("text")}
    documents |= {field.name: field for stage in stages for field in stage.documents}
    scores = {field.name: field for stage in stages for field in stage.scores}
    digest = pa.field("text_sha256", pa.binary(32), nullable=False)
    return (
        pa.schema([identity[0], row, *identity[1:], digest, PAYLOAD_HASH, *documents.values()]),
        pa.schema([identity[0], row, *scores.values()]),
    )


def identities(doc_id: pa.FixedSizeBinaryArray, first: int) -> pa.Table:
    """Rows of `IDENTITY` of records numbered from `first` on."""
    words = np.frombuffer(doc_id.buffers()[1] or b"", ">u8").reshape(-1, 2)[doc_id.offset : doc_id.offset + len(doc_id)]
    halves = [pa.array(words[:, half].astype(np.uint64)) for half in (0, 1)]
    return pa.Table.from_arrays(
        [*halves, pa.array(np.arange(first, first + len(doc_id), dtype=np.uint32))], schema=IDENTITY
    )


def text_digests(text: pa.LargeStringArray) -> pa.Array:
    """SHA-256 of each text's UTF-8 bytes, binary(32)."""
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    data = memoryview(text.buffers()[2] or b"")
    return pa.array(
        [hashlib.sha256(data[start:end]).digest() for start, end in itertools.pairwise(offsets)],
        pa.binary(32),
    )


def _select(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays(
        [batch.column(field.name) if field.name in names else pa.nulls(batch.num_rows, field.type) for field in wanted],
        schema=wanted,
    )
