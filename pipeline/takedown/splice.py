"""A published file with some of its pieces rewritten and all others copied byte by byte.

Parquet can't be edited in place, but a row group knows nothing of where it lies: only the footer does. So a row group
that holds nothing to remove is copied as it is, and only the footer's offsets move. Encoding all row groups again would
not give their bytes back: where a page ends depends on the batches they were once written in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import exchange, parquet
from lauter.pipeline.compact import I64, Struct, Value, read_struct, write_struct
from lauter.pipeline.storage import Storage, StorageError

MAGIC = b"PAR1"
TAIL_BYTES = 8
COPY_BYTES = 8 << 20

# Field ids of parquet.thrift.
FILE_ROWS, FILE_GROUPS = 3, 4
GROUP_COLUMNS, GROUP_ROWS, GROUP_OFFSET, GROUP_ORDINAL = 1, 3, 5, 7
COLUMN_OFFSET, COLUMN_META = 2, 3
META_OFFSETS = (9, 10, 11, 14)
"""Data page, index page, dictionary page, Bloom filter."""
COLUMN_INDEXES = (4, 6)
"""Offsets of page indexes, which lie between the last row group and the footer; Lauter writes none."""

Rewrite = Callable[[int, pa.Table], pa.Table]
"""(number of the first row, a row group) -> the row group to stand there."""


def rewrite_row_groups(storage: Storage, path: str, staged: Path, rewrite: Rewrite, wanted: set[int]) -> None:
    """Write a Parquet file to `staged` with the row groups `wanted` rewritten, and not the others.

    What a rewritten row group's bytes are depends on its rows alone: on no batch, and on no earlier rewriting. One that
    is left without rows is left out. Raises `StorageError` where the file has page indexes.
    """
    with storage.open(path) as source, staged.open("wb") as out:
        file = pq.ParquetFile(source)
        footer = _footer(source)
        out.write(MAGIC)
        groups: list[Struct] = []
        first = 0
        ranges = parquet.row_group_ranges(file.metadata)
        for number, (group, (start, end)) in enumerate(zip(footer[FILE_GROUPS].content.items, ranges, strict=True)):
            if any(index in column for column in group[GROUP_COLUMNS].content.items for index in COLUMN_INDEXES):
                raise StorageError(f"{path}: has page indexes, so it was not written by `lauter build`")
            table = rewrite(first, file.read_row_group(number, use_threads=False)) if number in wanted else None
            first += group[GROUP_ROWS].content
            if table is None:
                groups.append(_moved(group, out.tell() - start, len(groups)))
                _copy(source, start, end, cast(BinaryIO, out))
            elif table.num_rows:
                encoded, group, start = _encoded(table)
                groups.append(_moved(group, out.tell() - start, len(groups)))
                out.write(encoded)
        elements = footer[FILE_GROUPS].content._replace(items=groups)
        footer[FILE_GROUPS] = footer[FILE_GROUPS]._replace(content=elements)
        footer[FILE_ROWS] = Value(I64, sum(group[GROUP_ROWS].content for group in groups))
        data = write_struct(footer)
        out.write(data + len(data).to_bytes(4, "little") + MAGIC)


def _footer(source: pa.NativeFile) -> Struct:
    size = source.size()
    source.seek(size - TAIL_BYTES)
    length = int.from_bytes(source.read(4), "little")
    source.seek(size - TAIL_BYTES - length)
    return read_struct(source.read(length))


def _encoded(table: pa.Table) -> tuple[memoryview, Struct, int]:
    """Bytes of one row group, its entry in the footer, and where that says that it begins."""
    sink = pa.BufferOutputStream()
    with parquet.writer(sink, table.schema) as writer:
        writer.write_table(canonical(table), row_group_size=table.num_rows)
    data = sink.getvalue()
    source = pa.BufferReader(data)
    ((start, end),) = parquet.row_group_ranges(pq.read_metadata(source))
    (group,) = _footer(source)[FILE_GROUPS].content.items
    return memoryview(data)[start:end], group, start


def canonical(table: pa.Table) -> pa.Table:
    """The same rows as one batch, dictionaries in the order in which their values appear."""
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type).combine_chunks().dictionary_encode().cast(field.type)
        columns.append(column)
    return pa.Table.from_batches([exchange.one_batch(pa.Table.from_arrays(columns, schema=table.schema))])


def _moved(group: Struct, shift: int, ordinal: int) -> Struct:
    """A row group's entry, `shift` bytes further on."""
    moved = dict(group)
    if GROUP_OFFSET in moved:
        moved[GROUP_OFFSET] = _shifted(moved[GROUP_OFFSET], shift)
    if GROUP_ORDINAL in moved:
        moved[GROUP_ORDINAL] = moved[GROUP_ORDINAL]._replace(content=ordinal)
    columns = []
    for column in group[GROUP_COLUMNS].content.items:
        meta = dict(column[COLUMN_META].content)
        for number in META_OFFSETS:
            if number in meta:
                meta[number] = _shifted(meta[number], shift)
        column = {**column, COLUMN_META: column[COLUMN_META]._replace(content=meta)}
        column[COLUMN_OFFSET] = _shifted(column[COLUMN_OFFSET], shift)
        columns.append(column)
    moved[GROUP_COLUMNS] = group[GROUP_COLUMNS]._replace(content=group[GROUP_COLUMNS].content._replace(items=columns))
    return moved


def _shifted(value: Value, shift: int) -> Value:
    # Zero is no place: writers leave it where they say nothing.
    return value._replace(content=value.content + shift) if value.content else value


def _copy(source: pa.NativeFile, start: int, end: int, out: BinaryIO) -> None:
    source.seek(start)
    while start < end:
        block = source.read(min(COPY_BYTES, end - start))
        out.write(block)
        start += len(block)


def rewrite_messages(
    storage: Storage,
    path: str,
    staged: Path,
    layout: pa.Schema,
    rewrite: Callable[[pa.Table], pa.Table],
    wanted: set[int],
) -> int:
    """Write an exchange file to `staged` with the messages `wanted` rewritten, the others copied; returns its rows.

    A message that is left without rows is left out.
    """
    rows = 0
    with storage.open(path) as source, staged.open("wb") as out:
        index: list[int] = []
        for number, (partition, offset, length) in enumerate(exchange.read_index(storage, path, source).tolist()):
            source.seek(offset)
            message = source.read_buffer(length)
            batch = pa.ipc.read_record_batch(message, layout)
            if number in wanted:
                batch = exchange.one_batch(rewrite(pa.Table.from_batches([batch])))
                message = batch.serialize()
            if batch.num_rows:
                rows += batch.num_rows
                out.write(bytes(-out.tell() % exchange.ALIGNMENT))
                index += (partition, out.tell(), message.size)
                out.write(message)
        exchange.write_index(out, index)
    return rows
