"""Step `mirrors`: signatures of the records of one part whose copies elsewhere matter to the stage that dropped them.

Such a record (an opted-out page) ended before its text was made. It is read again here, its text is made in memory,
signed by the barrier stage, and forgotten: what is left are items, keys and sketches. Only these records are
read (where the reader can take them out of their file) and worked on, and of them only those that an earlier run of
the task has not signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.comparing import BarrierStage
from lauter.pipeline.contract import MapStage, ReadBatch, Reader, StageContext
from lauter.pipeline.excerpt import Excerpt
from lauter.pipeline.identity import payload_hashes
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.flow import add_row_numbers, merged
from lauter.pipeline.steps.joining.ranges import unique_pairs
from lauter.pipeline.steps.joining.sign import signatures
from lauter.pipeline.steps.joining.stage import stored_columns, with_source
from lauter.pipeline.steps.layouts import ITEMS, KEYS, MIRRORS, TEXT
from lauter.pipeline.steps.quarantine import quarantine_folder
from lauter.pipeline.steps.source import FileBroken, check_unchanged, reader_of
from lauter.pipeline.storage import Output, Storage, open_input
from lauter.pipeline.tamper import problem_of
from lauter.pipeline.task import FORMAT, REUSABLE, Result, Task, set_aside
from lauter.pipeline.worker import opened, prepared_stages


def run(task: Task, storage: Storage) -> Result:
    """Sign the wanted records of one file; a stage that drops one, or fails on it, leaves it unsigned."""
    args = task.args
    wanted = _wanted(storage, args["records"]["path"], args["wanted"])
    barrier: BarrierStage = opened(args["barrier"], StageContext(seed=args["seed"]))
    signed, items, keys = _signed_before(task, storage, wanted)
    fresh, failed = wanted.filter(pa.array(~np.isin(wanted.column("row").to_numpy(), signed))), 0
    if fresh.num_rows:
        with quarantine_folder(storage) as quarantine:
            stages = prepared_stages(task, storage, quarantine)
            for batch in _records(task, fresh):
                batch, raised = _through(stages, batch, frozenset(args["wanted"]))
                failed += raised
                if batch.num_rows:
                    own, met = signatures(barrier, _document(batch, task))
                    items.append(own)
                    keys.append(met)
                    signed = np.concatenate([signed, batch.column("row").to_numpy()])
            check_unchanged(args["file"])
    written = _write(task, storage, pa.concat_tables([ITEMS.empty_table(), *items]), keys)
    if isolate.too_many_failed(failed, wanted.num_rows):
        raise isolate.StageError(
            f"{args['file']['uri']}: {failed} of {wanted.num_rows} opted-out records could not be signed; "
            "this is a fault of a stage or its set-up, not of the pages"
        )
    known = wanted.filter(pa.array(np.isin(wanted.column("row").to_numpy(), signed))).select(MIRRORS.names)
    mirrors = parquet.write(storage, f"state/mirrors/{args['part']}.parquet", MIRRORS, [exchange.one_batch(known)])
    info = {"wanted": wanted.num_rows, "signed": known.num_rows, "fresh": fresh.num_rows, "failed": failed}
    return Result((*written, mirrors), {**info, REUSABLE: _made_with(task)})


def _document(batch: pa.RecordBatch, task: Task) -> pa.RecordBatch:
    """A batch of records as if they were documents, with the columns that the barrier stage reads."""
    batch = batch.append_column("payload_hash", payload_hashes(batch.column("payload")))
    return with_source(batch.select(["row", *stored_columns(task.args["barrier"])]), task.args["source"])


def _write(task: Task, storage: Storage, items: pa.Table, keys: Sequence[pa.Table]) -> tuple[Output, Output]:
    """Publish signatures in an order that does not tell which run made them: some 400 bytes a record are held."""
    args = task.args
    items = items.sort_by("row")
    table = pa.concat_tables([KEYS.empty_table(), *keys])
    pairs = unique_pairs(np.column_stack([table.column("key").to_numpy(), table.column("item").to_numpy()]))
    written = []
    for kind, made in (("keys", pa.table([pairs[:, 0], pairs[:, 1]], schema=KEYS)), ("items", items)):
        partition = exchange.partition_of(made.column(0).to_numpy(), args["partitions"])
        written.append(exchange.write(storage, f"state/mirror-{kind}/{args['part']}.arrow", made, partition))
    return written[0], written[1]


def _made_with(task: Task) -> str:
    """All that a signature depends on besides the record: equal in two runs, equal keys for one record."""
    args = {name: value for name, value in task.args.items() if name != "records"}
    return xxhash.xxh3_128_hexdigest(json.dumps([FORMAT, args], sort_keys=True, separators=(",", ":")).encode())


def _signed_before(
    task: Task, storage: Storage, wanted: pa.Table
) -> tuple[NDArray[np.uint32], list[pa.Table], list[pa.Table]]:
    """The wanted records that an earlier run signed, with items and keys, if every byte of it is as recorded."""
    nothing: tuple[NDArray[np.uint32], list[pa.Table], list[pa.Table]] = (np.empty(0, np.uint32), [], [])
    record = set_aside(storage, task)
    if record is None:
        return nothing
    try:
        if record["info"][REUSABLE] != _made_with(task):
            return nothing
        made = Result(tuple(Output.from_json(item) for item in record["outputs"]))
        outputs = [made.output(folder) for folder in ("state/mirrors", "state/mirror-items", "state/mirror-keys")]
    except (KeyError, TypeError):
        return nothing
    if any(problem_of(storage, output) for output in outputs):
        return nothing
    rows = parquet.read(storage, outputs[0].path, ["row"]).column("row").to_numpy()
    signed = rows[np.isin(rows, wanted.column("row").to_numpy())]
    items = _rows_with(storage, outputs[1].path, ITEMS, "row", signed)
    known = np.concatenate([np.empty(0, np.uint64), *(table.column("item").to_numpy() for table in items)])
    return signed, items, _rows_with(storage, outputs[2].path, KEYS, "item", known)


def _rows_with(
    storage: Storage, path: str, layout: pa.Schema, column: str, values: NDArray[np.uint32] | NDArray[np.uint64]
) -> list[pa.Table]:
    return [
        pa.Table.from_batches([batch.filter(pa.array(np.isin(batch.column(column).to_numpy(), values)))])
        for batch in exchange.messages(storage, path, layout)
    ]


def _wanted(storage: Storage, path: str, reasons: Mapping[str, Sequence[str]]) -> pa.Table:
    """The records that ended for a wanted reason, in order: `MIRRORS`, and `offset` and `length` in the file."""
    records = parquet.read(storage, path, ["doc_id", "offset", "length", "url", "stage", "reason"])
    ends = zip(
        records.column("stage").cast(pa.string()).to_pylist(),
        records.column("reason").cast(pa.string()).to_pylist(),
        strict=True,
    )
    rows = [row for row, (stage, reason) in enumerate(ends) if stage in reasons and reason in reasons[stage]]
    chosen = records.take(pa.array(rows, pa.int64()))
    columns = [
        pa.array(rows, pa.uint32()),
        chosen.column("doc_id"),
        chosen.column("url"),
        chosen.column("stage").cast(pa.string()).dictionary_encode().cast(TEXT),
    ]
    found = pa.Table.from_arrays(columns, schema=MIRRORS)
    return found.append_column("offset", chosen.column("offset")).append_column("length", chosen.column("length"))


def _records(task: Task, wanted: pa.Table) -> Iterator[pa.RecordBatch]:
    """The wanted records as the reader gives them, with row numbers: from an excerpt of the file as far as one goes."""
    reader, done = reader_of(task.args), 0
    with open_input(task.args["file"]["uri"]) as stream:
        if getattr(reader, "excerpts", False):
            for batch in _excerpt(reader, cast(BinaryIO, stream), task.args["file"]["name"], wanted):
                yield batch
                done += batch.num_rows
        if done < wanted.num_rows:
            stream.seek(0)
            yield from _of_whole(reader, cast(BinaryIO, stream), task.args["file"], wanted.slice(done))


def _excerpt(reader: Reader, stream: BinaryIO, name: str, wanted: pa.Table) -> Iterator[pa.RecordBatch]:
    """The wanted records from their own bytes alone, up to where something else is found in these."""
    ranges = np.column_stack([wanted.column(column).to_numpy() for column in ("offset", "length")])
    ids, done = exchange.one_chunk(wanted.column("doc_id")), 0
    for read in reader.read(cast(BinaryIO, Excerpt(stream, ranges)), name):
        end = done + read.records.num_rows
        if read.verdict.reason.any() or not read.records.column("doc_id").equals(ids.slice(done, end - done)):
            return
        rows = wanted.slice(done, end - done)
        at = read.records.schema.get_field_index("offset")
        batch = read.records.set_column(at, read.records.schema.field(at), exchange.one_chunk(rows.column("offset")))
        yield batch.append_column(rows.schema.field("row"), exchange.one_chunk(rows.column("row")))
        done = end


def _of_whole(reader: Reader, stream: BinaryIO, file: Mapping[str, Any], wanted: pa.Table) -> Iterator[pa.RecordBatch]:
    """The wanted records from the whole file; reads no further than the last of them."""
    rows, first = wanted.column("row").to_numpy().astype(np.int64), 0
    for read in reader.read(stream, file["name"]):
        end = first + read.records.num_rows
        low, high = np.searchsorted(rows, [first, end])
        if high > low:
            yield _taken(read, first, rows[low:high], wanted.slice(low, high - low), file)
        first = end
        if high == len(rows):
            return
    raise FileBroken(f"{file['uri']}: has fewer records than when it was read first; run the same command again")


def _taken(
    read: ReadBatch, first: int, rows: NDArray[np.int64], wanted: pa.Table, file: Mapping[str, Any]
) -> pa.RecordBatch:
    batch = add_row_numbers(read.records, first).take(pa.array(rows - first))
    if not batch.column("doc_id").equals(exchange.one_chunk(wanted.column("doc_id"))):
        raise FileBroken(f"{file['uri']}: has other records than when it was read first; run the same command again")
    return batch


def _through(stages: Sequence[MapStage], batch: pa.RecordBatch, deaf: frozenset[str]) -> tuple[pa.RecordBatch, int]:
    """A batch after all stages, and how many rows one of them raised on; the drops of `deaf` stages are overheard."""
    raised = 0
    for stage in stages:
        if not batch.num_rows:
            break
        verdict = isolate.apply(stage, batch)
        failed = verdict.reason == isolate.FAILED
        raised += int(failed.sum())
        keep = ~failed if stage.name in deaf else verdict.keep
        batch = merged(batch, verdict).filter(pa.array(keep))
    return batch, raised
