"""Where the row groups of a Parquet file lie, from a footer that may be damaged.

Arrow's reader ends the whole process on some damaged footers (an exception that its Python binding does not catch), so
a file whose digest is wrong is looked at with this small reader of the Thrift compact protocol instead. Layout:
Parquet's `FileMetaData` as in parquet.thrift; encoding: Thrift's compact protocol specification.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""Footer length (4 bytes, little-endian) and the magic bytes end a file."""

MAX_DEPTH = 32
"""Parquet's own metadata is seven levels deep at most."""

# Field ids of parquet.thrift.
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
COMPRESSED_SIZE, DATA_PAGE, DICTIONARY_PAGE = 7, 9, 11

# Types of the compact protocol.
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
LONG_LIST = 15
"""A list of this many elements or more has its length behind its head."""
MAX_SHIFT = 63
"""A varint has at most 64 bits."""


class FooterBroken(Exception):
    """The bytes at the end of a file are no Parquet footer."""


def row_group_ranges(file: pa.NativeFile, size: int) -> list[tuple[int, int]]:
    """Byte range [start, end) of each row group of a file of `size` bytes; raises `FooterBroken`.

    Row groups that do not lie end to end between the magic bytes and the footer are a broken footer too.
    """
    if size < len(MAGIC) + TAIL_BYTES:
        raise FooterBroken
    file.seek(size - TAIL_BYTES)
    tail = file.read(TAIL_BYTES)
    start = size - TAIL_BYTES - int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or start < len(MAGIC):
        raise FooterBroken
    file.seek(start)
    try:
        found = _Compact(file.read(size - TAIL_BYTES - start)).struct(0)
        ranges = [_range(group[COLUMNS]) for group in found[ROW_GROUPS]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise FooterBroken from error
    if [first for first, _ in ranges] != [len(MAGIC), *(end for _, end in ranges[:-1])]:
        raise FooterBroken
    if any(end < first or end > start for first, end in ranges):
        raise FooterBroken
    return ranges


def _range(columns: list[dict[int, dict[int, int]]]) -> tuple[int, int]:
    starts, ends = [], []
    for column in columns:
        chunk = column[META_DATA]
        start = min(chunk[DATA_PAGE], chunk.get(DICTIONARY_PAGE, chunk[DATA_PAGE]))
        starts.append(start)
        ends.append(start + chunk[COMPRESSED_SIZE])
    return min(starts), max(ends)


class _Compact:
    """Reads values of the compact protocol; structs become dicts by field id. Damage raises `ValueError` and kin."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields of a struct."""
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) & 0x0F:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 0x0F
            # The value of a boolean field is its type.
            fields[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401 - of whatever type the bytes say
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            count = self._varint() if head >> 4 == LONG_LIST else head >> 4
            return [self._value(head & 0x0F, depth + 1) for _ in range(count)]
        if kind == STRUCT:
            return self.struct(depth + 1)
        # Parquet's metadata has no map.
        raise ValueError("no type of the metadata")

    def _byte(self) -> int:
        value = self._data[self._place]
        self._place += 1
        return value

    def _bytes(self, count: int) -> bytes:
        value = self._data[self._place : self._place + count]
        if len(value) != count:
            raise ValueError("cut")
        self._place += count
        return value

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > MAX_SHIFT:
                raise ValueError("too long")
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
