"""Step `ledger`: every record of one part with the one verdict that it ended with."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.cutting import ONLY_REPEATED
from lauter.pipeline.steps.layouts import LOSERS, MIRROR, POSITIONS, ROWS, TEXT, row_numbers, rows_of_part
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task


def run(task: Task, storage: Storage) -> Result:
    """Join what the steps decided about one part's records.

    Order of precedence: the same record seen before, the hard decision, the soft decision, a copy of another document,
    too little left of it without passages that stand elsewhere, kept.
    """
    args = task.args
    records = parquet.read(storage, args["records"]["path"])
    count = records.num_rows
    stage = records.column("stage").cast(pa.string()).to_pylist()
    reason = records.column("reason").cast(pa.string()).to_pylist()
    verdict = records.column("verdict").cast(pa.string()).to_pylist()
    rule = records.column("rule").to_pylist()
    doc_id = records.column("doc_id").to_pylist()
    duplicate_of: list[bytes | None] = [None] * count
    decisions = parquet.read(storage, args["decisions"]["path"], ["row", "stage", "reason", "rule", "mirror_of"])
    decisions = decisions.filter(pc.is_valid(decisions.column("reason")))
    for found in decisions.to_pylist():
        row = found["row"]
        stage[row], reason[row], verdict[row], rule[row] = found["stage"], found["reason"], "dropped", found["rule"]
        if found["reason"] == MIRROR:
            duplicate_of[row] = found["mirror_of"]
    if args["losers"] is not None:
        for found in rows_of_part(storage, args["losers"], args["ordinal"], LOSERS).to_pylist():
            row = found["row"]
            stage[row], verdict[row], duplicate_of[row] = args["barrier"], "duplicate", found["duplicate_of"]
            reason[row] = found["reason"]
    if args["emptied"] is not None:
        emptied, _ = exchange.read_parts(storage, [args["emptied"]["rows"]["path"]], 0, ROWS)
        for row in row_numbers(emptied).tolist():
            stage[row], reason[row], verdict[row] = args["emptied"]["stage"], ONLY_REPEATED, "dropped"
    for row in row_numbers(rows_of_part(storage, args["same"], args["ordinal"], ROWS)).tolist():
        stage[row], reason[row], verdict[row], rule[row] = "read", "same-record", "duplicate", None
        duplicate_of[row] = doc_id[row]
    stream, shard, shard_row, tokens = _positions(task, storage, count)
    for row in range(count):
        if verdict[row] is None:
            verdict[row] = "kept"
    kept = shard >= 0
    if not np.array_equal(kept, np.array([item == "kept" for item in verdict], np.bool_)):
        raise RuntimeError(f"{args['part']}: the rows in token shards are not the kept ones; please report this")
    table = pa.Table.from_arrays(
        [
            records.column("doc_id"),
            pa.array([args["source"]] * count, TEXT),
            records.column("file").dictionary_encode().cast(TEXT),
            records.column("offset"),
            records.column("length"),
            records.column("url"),
            records.column("origin_id"),
            records.column("fetched_at"),
            pa.array(verdict, TEXT),
            pa.array(stage, TEXT),
            pa.array(reason, TEXT),
            pa.array(duplicate_of, schema.DOC_ID),
            pa.array(rule, schema.RULE),
            records.column("basis"),
            records.column("language").dictionary_encode().cast(TEXT),
            records.column("script").dictionary_encode().cast(TEXT),
            records.column("chars"),
            pa.array(tokens, mask=~kept),
            records.column("text_sha256"),
            stream,
            pa.array(shard, mask=~kept),
            pa.array(shard_row, mask=~kept),
        ],
        schema=schema.LEDGER,
    )
    output = parquet.write(
        storage, f"ledger/{args['part']}.parquet", schema.LEDGER, table.combine_chunks().to_batches()
    )
    return Result((output,), {"rows": count, "verdicts": dict(Counter(verdict)), "tokens": int(tokens[kept].sum())})


def _positions(
    task: Task, storage: Storage, count: int
) -> tuple[pa.DictionaryArray, NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Stream, shard, row in it and number of tokens of each record; null, -1, 0 and 0 for one that has no place."""
    stream, shard = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    shard_row, tokens = np.zeros(count, np.int64), np.zeros(count, np.int32)
    table = rows_of_part(storage, task.args["positions"], task.args["ordinal"], POSITIONS)
    rows = row_numbers(table)
    stream[rows] = table.column("stream").to_numpy()
    shard[rows] = table.column("shard").to_numpy()
    shard_row[rows] = table.column("shard_row").to_numpy()
    tokens[rows] = table.column("tokens").to_numpy()
    # Of thousands of streams a part has some: they are the dictionary, in order of name.
    present, index = np.unique(stream, return_inverse=True)
    names = [item["name"] for item in storage.read_json(task.args["layout"]["path"])["streams"]]
    absent = int(len(present) > 0 and present[0] < 0)
    dictionary = pa.array([names[number] for number in present[absent:].tolist()], pa.string())
    coded = pa.DictionaryArray.from_arrays(pa.array((index - absent).astype(np.int32), mask=stream < 0), dictionary)
    return coded, shard, shard_row, tokens
