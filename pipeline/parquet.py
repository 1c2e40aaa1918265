"""Parquet with fixed writer settings, so that equal rows give equal bytes, and a digest of every row group.

A row group's digest is the SHA-256 of its bytes in the file; the audit names the row group that was touched by
comparing them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline.storage import Output, Storage, digest_file

ROW_GROUP_BYTES = 32 << 20
"""Arrow bytes after which a row group is closed: large enough for zstd and column pruning, small enough for memory."""


class ParquetSink:
    """Writes batches of one schema to a staged file; row groups are cut by Arrow bytes alone, so deterministically."""

    def __init__(self, path: Path, schema: pa.Schema, row_group_bytes: int = ROW_GROUP_BYTES) -> None:
        self.rows = 0
        self._schema = schema
        self._limit = row_group_bytes
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self._writer = writer(path, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if batch.num_rows:
            self.rows += batch.num_rows
            self._pending.append(batch)
            self._pending_bytes += content_bytes(batch)
            if self._pending_bytes >= self._limit:
                self.cut()

    def cut(self) -> None:
        """Close the current row group."""
        if self._pending:
            table = pa.Table.from_batches(self._pending, self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._pending, self._pending_bytes = [], 0

    def close(self) -> None:
        """Write what is pending and the footer."""
        self.cut()
        self._writer.close()


def content_bytes(batch: pa.RecordBatch) -> int:
    """Arrow bytes of a batch's values and offsets, the same for equal values.

    `nbytes` also counts validity bits, which an array without nulls may or may not have, by how it was made: a row
    group would be cut elsewhere after rows were read back from a file.
    """
    return sum(_bytes(column) for column in batch.columns)


def _bytes(column: pa.Array) -> int:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _bytes(column.indices)
    if pa.types.is_struct(kind):
        return sum(_bytes(child) for child in column.flatten())
    if pa.types.is_fixed_size_list(kind):
        return _bytes(column.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return len(column) * (8 if pa.types.is_large_list(kind) else 4) + _bytes(column.flatten())
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return len(column) * 8 + (pc.sum(pc.binary_length(column)).as_py() or 0)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return len(column) * 4 + (pc.sum(pc.binary_length(column)).as_py() or 0)
    return 0 if pa.types.is_null(kind) else len(column) * kind.bit_width // 8


def writer(where: Path | pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    """The one way in which Lauter's Parquet files are written."""
    return pq.ParquetWriter(
        where, schema, compression="zstd", compression_level=3, use_dictionary=_dictionary_columns(schema)
    )


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    # Dictionary pages pay for repeated strings only; on text, ids and hashes they cost time and are dropped anyway.
    return [field.name for field in schema if pa.types.is_dictionary(field.type)]


def write(
    storage: Storage,
    path: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    row_group_bytes: int = ROW_GROUP_BYTES,
) -> Output:
    """Publish batches as one Parquet file; returns its digests."""
    with storage.staging(path) as staged:
        sink = ParquetSink(staged, schema, row_group_bytes)
        for batch in batches:
            sink.write(batch)
        sink.close()
        return describe(staged, path)


def describe(staged: Path, path: str) -> Output:
    """Digests of a finished Parquet file."""
    metadata = pq.read_metadata(staged)
    digests = []
    with staged.open("rb") as file:
        for start, end in row_group_ranges(metadata):
            file.seek(start)
            digests.append(hashlib.sha256(file.read(end - start)).hexdigest())
    return Output(path, staged.stat().st_size, digest_file(staged), metadata.num_rows, tuple(digests))


def row_group_ranges(metadata: pq.FileMetaData) -> list[tuple[int, int]]:
    """Byte range [start, end) of each row group."""
    ranges = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        starts, ends = [], []
        for column in range(group.num_columns):
            chunk = group.column(column)
            offsets = [chunk.data_page_offset]
            if chunk.dictionary_page_offset:
                offsets.append(chunk.dictionary_page_offset)
            starts.append(min(offsets))
            ends.append(min(offsets) + chunk.total_compressed_size)
        ranges.append((min(starts), max(ends)))
    return ranges


def read(storage: Storage, path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole file as one table (small files: records, decisions, scores)."""
    with storage.open(path) as source:
        return pq.read_table(source, columns=list(columns) if columns is not None else None, use_threads=False)


def batches(storage: Storage, path: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The row groups of a file, one batch each, in order."""
    with storage.open(path) as source:
        file = pq.ParquetFile(source)
        for index in range(file.num_row_groups):
            table = file.read_row_group(
                index, columns=list(columns) if columns is not None else None, use_threads=False
            )
            yield from table.combine_chunks().to_batches()
