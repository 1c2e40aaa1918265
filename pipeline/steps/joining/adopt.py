"""Steps `adopt` and `adopted`: what an older corpus has kept takes part in the comparison, and is kept before all else.

adopt (a task per part of the older corpus) copies the signatures of its kept documents into this run folder; adopted
makes candidates of those that have copies here. A record that was removed there is no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.steps.joining.candidates import publish_candidates, signatures_of
from lauter.pipeline.steps.layouts import CLUSTERS, ITEMS, KEYS, row_numbers, rows_of_part
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task


def signatures(task: Task, storage: Storage) -> Result:
    """The signatures of one part's kept documents, by the ranges of this run."""
    args = task.args
    kept = _kept_rows(args["ledger"])
    known = [np.empty(0, np.uint64)]

    def of_kept(batch: pa.RecordBatch) -> NDArray[np.bool_]:
        chosen = np.isin(batch.column("row").to_numpy(), kept)
        known.append(batch.column("item").to_numpy()[chosen])
        return chosen

    items = _copied(task, storage, "items", ITEMS, of_kept)
    held = np.unique(np.concatenate(known))
    keys = _copied(task, storage, "keys", KEYS, lambda batch: np.isin(batch.column("item").to_numpy(), held))
    return Result((keys, items), {"documents": items.rows})


def _kept_rows(ledger: Mapping[str, Any]) -> NDArray[np.int64]:
    found, first = [np.empty(0, np.int64)], 0
    for batch in parquet.batches(Storage(ledger["root"]), ledger["file"], ["verdict"]):
        kept = pc.equal(batch.column("verdict").cast(pa.string()), "kept").to_numpy(zero_copy_only=False)
        found.append(first + np.flatnonzero(kept))
        first += batch.num_rows
    return np.concatenate(found)


def _copied(task: Task, storage: Storage, kind: str, layout: pa.Schema, chosen: Any) -> Output:  # noqa: ANN401 - a function of a batch
    where = task.args[kind]
    path = f"state/adopted-{kind}/{task.args['part']}.arrow"
    with storage.staging(path) as staged:
        sink = exchange.PartitionedSink(staged, layout)
        for batch in exchange.messages(Storage(where["root"]), where["file"], layout):
            table = pa.Table.from_batches([batch.filter(pa.array(chosen(batch)))])
            sink.write(table, exchange.partition_of(table.column(0).to_numpy(), task.args["partitions"]))
        sink.close()
        return exchange.describe(staged, path, sink.rows)


def kept(task: Task, storage: Storage) -> Result:
    """The older documents of one part that have copies, as candidates; no preference matters for them."""
    args = task.args
    clusters = rows_of_part(storage, args["copies"]["clusters"], args["ordinal"], CLUSTERS)
    rows, of = np.unique(row_numbers(clusters.combine_chunks()), return_inverse=True)
    where = args["documents"]
    found = []
    for batch in parquet.batches(Storage(where["root"]), where["file"], ["row", "doc_id", "text_sha256"]):
        found.append(pa.Table.from_batches([batch.filter(pa.array(np.isin(batch.column("row").to_numpy(), rows)))]))
    item, identities = signatures_of(storage, args["copies"]["items"]["path"], rows)
    order = np.zeros((len(of), len(args["copies"]["prefers"])), np.int64)
    component, all_of = clusters.column("component").to_numpy(), pa.array(of)
    documents = pa.concat_tables(found).take(all_of)
    told = (documents, component, item.take(all_of), identities.take(all_of), order)
    return Result((publish_candidates(task, storage, *told),))
