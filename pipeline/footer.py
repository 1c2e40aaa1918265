"""Where the row groups of a Parquet file lie, from a footer that may be damaged.

Arrow's reader ends the whole process on some damaged footers (an exception that its Python binding does not catch), so
a file whose digest is wrong is looked at with our own reader (`pipeline.compact`) instead. Layout: Parquet's
`FileMetaData` as in parquet.thrift.
"""

from __future__ import annotations

import pyarrow as pa

from lauter.pipeline.compact import Struct, read_struct

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""Footer length (4 bytes, little-endian) and the magic bytes end a file."""

# Field ids of parquet.thrift.
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
COMPRESSED_SIZE, DATA_PAGE, DICTIONARY_PAGE = 7, 9, 11


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
        found = read_struct(file.read(size - TAIL_BYTES - start))
        ranges = [_range(group[COLUMNS].content.items) for group in found[ROW_GROUPS].content.items]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise FooterBroken from error
    if [first for first, _ in ranges] != [len(MAGIC), *(end for _, end in ranges[:-1])]:
        raise FooterBroken
    if any(end < first or end > start for first, end in ranges):
        raise FooterBroken
    return ranges


def _range(columns: list[Struct]) -> tuple[int, int]:
    starts, ends = [], []
    for column in columns:
        chunk: Struct = column[META_DATA].content
        start = min(chunk[DATA_PAGE].content, chunk.get(DICTIONARY_PAGE, chunk[DATA_PAGE]).content)
        starts.append(start)
        ends.append(start + chunk[COMPRESSED_SIZE].content)
    return min(starts), max(ends)
