"""Published Parquet files as the audit reads them: layout checked first, one table a row group, never a whole file."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import schema
from lauter.pipeline.steps import layouts
from lauter.pipeline.storage import Output, Storage, StorageError

_ROW = pa.field("row", pa.uint32(), nullable=False)
_DOC_ID = schema.RECORD.field("doc_id")

LAYOUTS = {
    "documents": pa.schema(
        [
            _DOC_ID,
            _ROW,
            schema.DOCUMENT.field("text"),
            pa.field("text_sha256", pa.binary(32), nullable=False),
        ]
    ),
    "scores": pa.schema([_DOC_ID, _ROW]),
    "signals": schema.SIGNAL,
    "decisions": pa.schema(
        [
            _DOC_ID,
            _ROW,
            schema.LEDGER.field("stage"),
            schema.LEDGER.field("reason"),
            pa.field("cluster", pa.uint64()),
            pa.field("mirror_of", schema.DOC_ID),
        ]
    ),
    "cuts": layouts.CUTS,
    # All but the time: Parquet keeps no seconds, so it comes back in milliseconds.
    "ledger": schema.LEDGER.remove(schema.LEDGER.get_field_index("fetched_at")),
    "tokens": schema.TOKENS,
}
"""Columns that the audit relies on, by folder; there may be others."""


def layout_problem(storage: Storage, kind: str, recorded: Output) -> str | None:
    """What is wrong with a file's columns or row count, in one sentence; None if the audit can read it."""
    try:
        with storage.open(recorded.path) as source:
            file = pq.ParquetFile(source)
    except (StorageError, pa.ArrowException, OSError) as error:
        return f"{recorded.path}: its footer cannot be read: {error}"
    for field in LAYOUTS[kind]:
        if field.name not in file.schema_arrow.names or not file.schema_arrow.field(field.name).equals(field):
            return f"{recorded.path}: has no column `{field.name}` of type {field.type}"
    if file.metadata.num_rows != recorded.rows:
        return f"{recorded.path}: has {file.metadata.num_rows} rows, recorded are {recorded.rows}"
    return None


def row_groups(storage: Storage, kind: str, path: str, *columns: str) -> Iterator[pa.Table]:
    """The row groups of a file, one table each, with the given columns of its layout (none given: all of them).

    Raises `StorageError` that names file and row group.
    """
    names = list(columns or LAYOUTS[kind].names)
    with storage.open(path) as source:
        try:
            file = pq.ParquetFile(source)
        except (pa.ArrowException, OSError) as error:
            raise StorageError(f"{path}: its footer cannot be read: {error}") from error
        for index in range(file.num_row_groups):
            try:
                table = file.read_row_group(index, columns=names, use_threads=False)
            except (pa.ArrowException, OSError) as error:
                raise StorageError(f"{path}: row group {index} cannot be read: {error}") from error
            yield table.select(names)


class Rows:
    """Takes the rows of a file in order, any number at a time, whatever its row groups are."""

    def __init__(self, storage: Storage, kind: str, path: str, *columns: str) -> None:
        self._groups = row_groups(storage, kind, path, *columns)
        self._held = schema.fields(LAYOUTS[kind], *(columns or LAYOUTS[kind].names)).empty_table()

    def take(self, count: int) -> pa.Table:
        """The next `count` rows, fewer at the end of the file."""
        while self._held.num_rows < count:
            table = next(self._groups, None)
            if table is None:
                break
            self._held = pa.concat_tables([self._held, table.cast(self._held.schema)])
        taken = self._held.slice(0, count)
        self._held = self._held.slice(count)
        return taken
