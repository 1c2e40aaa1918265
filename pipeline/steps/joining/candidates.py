"""The candidates of a part: documents that nothing else objects to and that have copies, as `choose` compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.cuts import code_points
from lauter.pipeline.fixed_width import lists
from lauter.pipeline.steps.joining.ranges import range_of_component
from lauter.pipeline.steps.layouts import CANDIDATES, ITEMS
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task

LAST = np.iinfo(np.int64).max
"""Rank of a document without a value."""


def candidates(task: Task, storage: Storage, scores: pa.Table, component: NDArray[np.uint64]) -> Output:
    """Publish the documents that `scores` has rows of, by component, shape (n,); a document may stand in several."""
    args = task.args
    rows, first, of = np.unique(scores.column("row").to_numpy(), return_index=True, return_inverse=True)
    names = ["row", "doc_id", "fetched_at", "text_sha256"]
    documents = parquet.read(storage, args["documents"]["path"], names)
    documents = documents.filter(pa.array(np.isin(documents.column("row").to_numpy(), rows)))
    once = scores.take(pa.array(first))
    columns = {name: once.column(name) for name in once.column_names}
    columns["fetched_at"] = documents.column("fetched_at").cast(pa.int64())
    if "chars" not in columns and any(name == "chars" for name, _ in args["copies"]["prefers"]):
        columns["chars"] = lengths(storage, args["documents"]["path"], rows)
    columns["priority"] = pa.chunked_array([pa.array(np.full(len(rows), args["priority"], np.int64))])
    item, identities = signatures_of(storage, args["copies"]["items"]["path"], rows)
    order = ranks(columns, args["copies"]["prefers"], len(rows))
    all_of = pa.array(of)
    return publish_candidates(
        task, storage, documents.take(all_of), component, item.take(all_of), identities.take(all_of), order[of]
    )


def lengths(storage: Storage, path: str, rows: NDArray[np.uint32]) -> pa.ChunkedArray:
    """Code points of the texts of some rows of a part, in their order; for a corpus none of whose stages counts them.

    The texts are read a row group at a time.
    """
    counted = (
        pa.array(code_points(batch.column("text").filter(pa.array(np.isin(batch.column("row").to_numpy(), rows)))))
        for batch in parquet.batches(storage, path, ["row", "text"])
    )
    return pa.chunked_array(list(counted), pa.int64())


def publish_candidates(
    task: Task,
    storage: Storage,
    documents: pa.Table,
    component: NDArray[np.uint64],
    item: pa.Array,
    identities: pa.Array,
    order: NDArray[np.int64],
) -> Output:
    """Publish candidates, n rows each, by component; `documents`: `row`, `doc_id` and `text_sha256`."""
    told = [documents.column(name) for name in ("row", "doc_id", "text_sha256")]
    columns = [pa.array(component), item, *told, identities, lists(order)]
    path = f"state/candidates/{task.args['part']}.arrow"
    partition = range_of_component(component, task.args["copies"]["partitions"])
    return exchange.write(storage, path, pa.Table.from_arrays(columns, schema=CANDIDATES), partition)


def signatures_of(storage: Storage, path: str, rows: NDArray[np.uint32]) -> tuple[pa.Array, pa.Array]:
    """`item` and `identities` of some rows of a part, in their order; all of them are signed."""
    found = [
        pa.Table.from_batches([batch.select(["row", "item", "identities"]).filter(wanted)])
        for batch in exchange.messages(storage, path, ITEMS)
        if (wanted := pa.array(np.isin(batch.column("row").to_numpy(), rows))).true_count
    ]
    layout = pa.schema([ITEMS.field(name) for name in ("row", "item", "identities")])
    table = pa.concat_tables([layout.empty_table(), *found]).sort_by("row")
    return exchange.one_chunk(table.column("item")), exchange.one_chunk(table.column("identities"))


def ranks(columns: Mapping[str, pa.ChunkedArray], prefers: Sequence[Sequence[str]], count: int) -> NDArray[np.int64]:
    """What documents are put in order by, shape (n, preferences): smaller ones come first, those without a value last.

    `prefers`: names of columns of whole numbers, and `ascending` or `descending`; a column that nobody wrote is empty.
    """
    found = np.full((count, len(prefers)), LAST, np.int64)
    for place, (name, order) in enumerate(prefers):
        if name in columns and count:
            column = columns[name].cast(pa.int64())
            known = column.is_valid().to_numpy()
            value = column.fill_null(0).to_numpy()
            found[known, place] = (value if order == "ascending" else -value)[known]
    return found
