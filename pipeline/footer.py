"""Where the row groups of a Parquet file lie, from a footer that may be damaged.

Arrow's reader ends the whole process on some damaged footers (an exception that its Python binding does not catch), so
a file that nobody has vouched for is looked at here first. Layout: Parquet's `FileMetaData` as in parquet.thrift, in
Thrift's compact protocol. It is read by a kernel, as a trainer looks at the footers of all shards when it starts, and
15e12 tokens have 224,000 of them: 0.1 ms each, and 7 ms by `compact.py`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.compact import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I16,
    I32,
    I64,
    LIST,
    LONG_LIST,
    MAX_DEPTH,
    MAX_SHIFT,
    SET,
    STRUCT,
    TRUE,
)
from lauter.pipeline.kernel import kernel

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""Footer length (4 bytes, little-endian) and the magic bytes end a file."""

# Where a value lies: the field ids of parquet.thrift from the outside in, 8 bits each; `LISTED` marks a list's element.
LISTED = 0x80
ROW_GROUP = 4 | LISTED
COLUMN = ROW_GROUP << 8 | 1 | LISTED
"""FileMetaData.row_groups[].columns[]."""
META_DATA = COLUMN << 8 | 3
SIZE, DATA_PAGE, DICTIONARY_PAGE = META_DATA << 8 | 7, META_DATA << 8 | 9, META_DATA << 8 | 11
"""total_compressed_size, data_page_offset and dictionary_page_offset of a column's meta_data."""
LONGEST_PATH = 6
"""Deeper values are not told apart."""

ABSENT = -1


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
    footer = np.frombuffer(file.read(size - TAIL_BYTES - start), np.uint8)
    # A column with all that is looked for takes 8 bytes at least.
    chunks = np.full((len(footer) // 8 + 1, 4), ABSENT, np.int64)
    count = _chunks(footer, chunks)
    if count < 0:
        raise FooterBroken
    group, length, data, dictionary = chunks[:count].T
    firsts = np.flatnonzero(np.diff(group, prepend=-1))
    if (length < 0).any() or (data < 0).any() or (group[firsts] != np.arange(len(firsts))).any():
        raise FooterBroken
    begins = np.where(dictionary == ABSENT, data, np.minimum(data, dictionary))
    starts, ends = np.minimum.reduceat(begins, firsts), np.maximum.reduceat(begins + length, firsts)
    if starts[0] != len(MAGIC) or (starts[1:] != ends[:-1]).any() or (ends < starts).any() or (ends > start).any():
        raise FooterBroken
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


@kernel
def _chunks(data: NDArray[np.uint8], chunks: NDArray[np.int64]) -> int:
    # (row group, size, data page, dictionary page) of each column into `chunks`; how many, -1 where broken.
    kinds = np.empty(MAX_DEPTH + 1, np.int64)  # of a list its elements' type, of a struct STRUCT | 16
    lefts = np.empty(MAX_DEPTH + 1, np.int64)  # of a list how many are left, of a struct the last field's id
    paths = np.empty(MAX_DEPTH + 1, np.int64)
    struct = STRUCT | 16
    kinds[0], lefts[0], paths[0] = struct, 0, 0
    place = np.int64(0)
    depth = count = 0
    group = -1
    while depth >= 0:
        path = paths[depth]
        if kinds[depth] == struct:
            if place >= data.size:
                return -1
            head = data[place]
            place += 1
            kind = np.int64(head & 0x0F)
            if kind == 0:
                depth -= 1
                continue
            if head >> 4:
                lefts[depth] += np.int64(head >> 4)
            else:
                number, place = _varint(data, place)
                if place < 0:
                    return -1
                lefts[depth] = _zigzag(number)
            if kind in (TRUE, FALSE):
                continue
            path = path << 8 | min(max(lefts[depth], 0), LISTED - 1) if depth < LONGEST_PATH else 0
        else:
            if lefts[depth] == 0:
                depth -= 1
                continue
            lefts[depth] -= 1
            kind = kinds[depth]
            path = path | LISTED
        if kind in (TRUE, FALSE, BYTE):
            place += 1
        elif kind in (I16, I32, I64):
            number, place = _varint(data, place)
            if place < 0:
                return -1
            if path in (SIZE, DATA_PAGE, DICTIONARY_PAGE):
                chunks[count - 1, 1 if path == SIZE else (2 if path == DATA_PAGE else 3)] = _zigzag(number)
        elif kind == DOUBLE:
            place += 8
        elif kind == BINARY:
            number, place = _varint(data, place)
            if place < 0 or number > np.uint64(data.size - place):
                return -1
            place += np.int64(number)
        elif kind in (LIST, SET, STRUCT):
            if depth == MAX_DEPTH:
                return -1
            left = np.int64(0)
            inner = np.int64(struct)
            if kind != STRUCT:
                if place >= data.size:
                    return -1
                head = data[place]
                place += 1
                inner = np.int64(head & 0x0F)
                left = np.int64(head >> 4)
                if left == LONG_LIST:
                    number, place = _varint(data, place)
                    # An element takes a byte at least.
                    if place < 0 or number > np.uint64(data.size - place):
                        return -1
                    left = np.int64(number)
            elif path == ROW_GROUP:
                group += 1
            elif path == COLUMN:
                if count == chunks.shape[0]:
                    return -1
                chunks[count, 0] = group
                count += 1
            depth += 1
            kinds[depth], lefts[depth], paths[depth] = inner, left, path
        else:
            return -1
        if place > data.size:
            return -1
    return count if count and chunks[count - 1, 0] == group else -1


@kernel
def _varint(data: NDArray[np.uint8], place: np.int64) -> tuple[np.uint64, np.int64]:
    # The number and the place behind it, which is -1 where it is cut or too long.
    value = np.uint64(0)
    shift = 0
    while place < data.size and shift <= MAX_SHIFT:
        value |= np.uint64(data[place] & 0x7F) << np.uint64(shift)
        if not data[place] & 0x80:
            return value, place + 1
        place += 1
        shift += 7
    return value, np.int64(-1)


@kernel
def _zigzag(number: np.uint64) -> np.int64:
    return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1))
