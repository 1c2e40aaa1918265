"""The Parquet reader: one row a document, read row group by row group.

`offset` is the row's index in the file and `length` is 1. A file whose footer cannot be read, or declares what cannot
be, is one corrupt range of bytes; rows of a row group that cannot be read to its end are one `corrupt-range` row each,
so that the rows are those of the footer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline.contract import FileCount, ReadBatch
from lauter.stages.read.columns import UNITS, TableReader, check_columns, filled, is_template
from lauter.stages.read.rows import BATCH_BYTES, BATCH_ROWS, Row, Rows, corrupt_row, escaped, instant, seconds, utf8
from lauter.stages.read.watched import Watched

MAX_ROWS_PER_BYTE = 4096
"""Rows a byte of file above which a footer is not believed: a run of equal values packs millions of rows into some
bytes, but every text that is not equal takes more than a bit."""


class ParquetReader(TableReader):
    """Reads documents out of Parquet files."""

    name: ClassVar[str] = "parquet"
    version: ClassVar[int] = 2

    def check(self, stream: BinaryIO) -> None:
        """Raise `ValueError` if the file is no Parquet, a column is missing, or the text column holds no text."""
        stream.seek(0)
        try:
            schema = pq.ParquetFile(stream).schema_arrow
        except pa.ArrowException as error:
            raise ValueError(f"no readable Parquet file: {error}") from error
        check_columns(self._columns, schema.names)
        kind = schema.field(self._columns.text).type
        if not _is_text(kind):
            raise ValueError(f"column {self._columns.text!r} (columns.text) holds {kind}, not text")

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """Every row once, in file order."""
        stream.seek(0, 2)
        size = stream.tell()
        if not size:
            return
        rows = Rows(file, self.reasons)
        watched = Watched(stream)
        watched.seek(0)
        table = _opened(watched)
        if table is None or not _believable(table.metadata, size):
            yield from rows.add(corrupt_row(self._source, file, 0, size, "corrupt-range"))
            yield from rows.rest()
            return
        index = 0
        for group in range(table.metadata.num_row_groups):
            last = index + table.metadata.row_group(group).num_rows
            try:
                for batch in self._batches(table, group):
                    for row in self._rows(batch.slice(0, last - index), index, file):
                        yield from rows.add(row)
                        index += 1
            except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError):
                if watched.failure is not None:
                    raise
            while index < last:
                yield from rows.add(corrupt_row(self._source, file, index, index + 1, "corrupt-range"))
                index += 1
        yield from rows.rest()

    def count(self, stream: BinaryIO) -> FileCount:
        """Rows of the footer."""
        stream.seek(0, 2)
        size = stream.tell()
        if not size:
            return FileCount(0)
        stream.seek(0)
        try:
            footer = pq.read_metadata(stream)
        except (pa.ArrowException, OSError, ValueError):
            return FileCount(0, 1)
        return FileCount(footer.num_rows) if _believable(footer, size) else FileCount(0, 1)

    def given(self, stream: BinaryIO) -> Iterator[dict[str, object]]:
        """The columns of each row, empty where it cannot be read (`showing.ShowingReader`)."""
        stream.seek(0)
        table = _opened(Watched(stream))
        if table is None:
            return
        for group in range(table.metadata.num_row_groups):
            left = table.metadata.row_group(group).num_rows
            try:
                for batch in table.iter_batches(BATCH_ROWS // 8, row_groups=[group], use_threads=False):
                    yield from self._shown(batch)
                    left -= batch.num_rows
            except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError):
                yield from ({} for _ in range(left))

    def _shown(self, batch: pa.RecordBatch) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = batch.to_pylist()
        return rows

    def _batches(self, table: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
        names = table.schema_arrow.names
        roles = dict.fromkeys(name for given in self._columns.names().values() for name in given)
        wanted = [name for name in roles if name in names]
        meta = table.metadata.row_group(group)
        if not wanted or meta.num_rows == 0:
            return iter(())
        # Half a batch of uncompressed bytes, so that one row group never lies in memory as a whole.
        mean = max(1, meta.total_byte_size // meta.num_rows)
        size = max(1, min(BATCH_ROWS, BATCH_BYTES // 2 // mean))
        return iter(table.iter_batches(batch_size=size, row_groups=[group], columns=wanted, use_threads=False))

    def _rows(self, batch: pa.RecordBatch, first: int, file: str) -> Iterator[Row]:
        names = self._columns
        texts = _bytes(_column(batch, names.text), batch.num_rows)
        identifiers = _values(batch, names.id)
        urls = self._urls(batch)
        dates = _values(batch, names.date)
        repositories, paths = _readable(batch, names.repository), _readable(batch, names.path)
        licences = _licences(batch, names.licences)
        # A column of timestamps comes in seconds already.
        unit = UNITS[self._config.date_unit] if _is_number(batch, names.date) else 1
        for index, raw in enumerate(texts, first):
            at = index - first
            text = None if raw is None else utf8(raw)
            url, date = urls[at], dates[at]
            address = _address(url)
            moment = instant(date // unit) if isinstance(date, int) else seconds(_plain(date))
            reason = None
            if not text or text.isspace():
                reason = "no-text"
            elif len(text) > self._config.max_record_bytes:
                reason = "record-too-large"
            row = Row(
                b"",
                index,
                1,
                address,
                moment,
                text=text,
                repository=repositories[at],
                path=paths[at],
                licences=licences[at],
                reason=reason,
            )
            yield self._finished(row, file, identifier=identifiers[at], date=_plain(date) or None)

    def _urls(self, batch: pa.RecordBatch) -> list[object]:
        name = self._columns.url
        if name is None or not is_template("url", name):
            return _values(batch, name)
        places = self._columns.names()["url"]
        rows = zip(*(_readable(batch, place) for place in places), strict=True)
        made = (filled(name, dict(zip(places, values, strict=True))) for values in rows)
        return [url.encode() if url else None for url in made]


def _opened(stream: Watched) -> pq.ParquetFile | None:
    try:
        table = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError, ValueError):
        if stream.failure is not None:
            raise
        return None
    return table


def _believable(footer: pq.FileMetaData, size: int) -> bool:
    """Whether the row counts of a footer are consistent and could lie in a file of `size` bytes."""
    try:
        groups = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError, RuntimeError):
        return False
    return all(rows >= 0 for rows in groups) and sum(groups) == footer.num_rows <= size * MAX_ROWS_PER_BYTE


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)) or any(
        test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    )


def _column(batch: pa.RecordBatch, name: str | None) -> pa.Array | None:
    index = batch.schema.get_field_index(name) if name is not None else -1
    return batch.column(index) if index >= 0 else None


def _bytes(column: pa.Array | None, count: int) -> list[bytes | None]:
    """Values of a column of text or bytes; nulls if it is neither or not there."""
    if column is None or not _is_text(column.type):
        return [None] * count
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return list(column.cast(pa.large_binary()).to_pylist())


def _values(batch: pa.RecordBatch, name: str | None) -> list[object]:
    """Values of a column: bytes for text, seconds for dates and timestamps, integers, and None for anything else."""
    column = _column(batch, name)
    if column is None:
        return [None] * batch.num_rows
    if _is_text(column.type):
        return list(_bytes(column, batch.num_rows))
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        moments = pc.cast(column, pa.timestamp("s", tz=getattr(column.type, "tz", None)), safe=False)
        return list(moments.cast(pa.int64()).to_pylist())
    if pa.types.is_integer(column.type):
        return list(column.to_pylist())
    return [None] * batch.num_rows


def _readable(batch: pa.RecordBatch, name: str | None) -> list[str | None]:
    """Values of a column of text, U+FFFD for bytes that are none; null for an empty one and for any other column."""
    found = _bytes(_column(batch, name), batch.num_rows)
    return [value.decode("utf-8", "replace") if value else None for value in found]


def _licences(batch: pa.RecordBatch, name: str | None) -> list[tuple[str, ...] | None]:
    """Values of a column of texts or of lists of them; null for anything else, as if nothing were said."""
    column = _column(batch, name)
    if column is None or not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return [(value,) if value else None for value in _readable(batch, name)]
    if not _is_text(column.type.value_type):
        return [None] * batch.num_rows
    rows: list[list[str | bytes | None] | None] = column.to_pylist()
    return [_texts(row) for row in rows]


def _texts(row: list[str | bytes | None] | None) -> tuple[str, ...] | None:
    items = [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in row or ()]
    found = tuple(item for item in items if item)
    return found if found and len(found) == len(items) else None


def _is_number(batch: pa.RecordBatch, name: str | None) -> bool:
    column = _column(batch, name)
    return column is not None and pa.types.is_integer(column.type)


def _plain(date: object) -> str:
    if isinstance(date, bytes):
        return date.decode("utf-8", "replace")
    return "" if date is None else str(date)


def _address(url: object) -> str | None:
    return escaped(url) if isinstance(url, bytes) and url else None
