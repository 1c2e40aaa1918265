"""The column of a shard that says which tokens carry loss (`schema.LOSS_SPANS`), where a shard has it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline import schema
from lauter.pipeline.storage import Storage, StorageError

NAME = schema.LOSS_SPANS.name


def loss_columns(storage: Storage, path: str) -> list[str]:
    """The column's name where a shard has it, else nothing. Raises `StorageError` for a file that can't be read."""
    try:
        with storage.open(path) as source:
            return [name for name in pq.read_schema(source).names if name == NAME]
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{path}: its footer cannot be read: {error}") from error


def loss_problem(table: pa.Table) -> str | None:
    """What is wrong with the loss spans of rows of a shard, in words; None: nothing, or there are none."""
    if NAME not in table.column_names:
        return None
    column = table.column(NAME).combine_chunks()
    values = column.flatten().to_numpy().astype(np.int64)
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(table.num_rows), counts)
    if (counts % 2).any():
        return "rows whose loss spans have a start without an end"
    if (np.diff(values)[np.diff(row) == 0] <= 0).any():
        return "rows whose loss spans do not rise"
    if (values > table.column("length").to_numpy()[row]).any():
        return "rows whose loss spans reach beyond their tokens"
    return None
