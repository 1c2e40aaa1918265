"""Columns of fixed width as one column of bytes, and back.

What a stage's sketches are is the stage's business. Packed, they are one column of every exchange file that carries
them, so that a file can be read, and blanked, by who does not know the stage.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def width_of(kind: pa.DataType) -> int | None:
    """Bytes of one value; None for a type that has no fixed whole number of them."""
    if pa.types.is_fixed_size_list(kind):
        inner = width_of(kind.value_type)
        return None if inner is None else inner * kind.list_size
    if pa.types.is_fixed_size_binary(kind):
        return cast(int, kind.byte_width)
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return cast(int, kind.bit_width) // 8 if plain else None


def packed(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Each row's values, one after the other as they lie in memory; binary, n rows.

    Raises `ValueError` for a column that has nulls or no fixed width.
    """
    pieces = [np.empty((batch.num_rows, 0), np.uint8)]
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if width_of(field.type) is None or column.null_count:
            raise ValueError(f"column {field.name} of {field.type} has nulls or no fixed width")
        pieces.append(_bytes(column))
    joined = np.concatenate(pieces, axis=1)
    offsets = np.arange(batch.num_rows + 1, dtype=np.int32) * np.int32(joined.shape[1])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(joined))]
    return pa.Array.from_buffers(pa.binary(), batch.num_rows, buffers)


def _bytes(column: pa.Array) -> NDArray[np.uint8]:
    """Shape (n, width)."""
    kind, count = column.type, len(column)
    if pa.types.is_fixed_size_list(kind):
        inner = column.flatten()
        if inner.null_count:
            raise ValueError(f"a list of {kind.value_type} has nulls")
        return _bytes(inner).reshape(count, width_of(kind) or 0)
    width = width_of(kind) or 0
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return data[column.offset * width : (column.offset + count) * width].reshape(count, width)


def matrix(column: pa.BinaryArray, width: int) -> NDArray[np.uint8]:
    """Packed values as bytes, shape (n, width); no copy."""
    count = len(column)
    offsets = np.frombuffer(column.buffers()[1] or b"", np.int32)[column.offset : column.offset + count + 1]
    start = int(offsets[0]) if count else 0
    data = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    return data[start : start + count * width].reshape(count, width)


def unpacked(rows: NDArray[np.uint8], schema: pa.Schema) -> pa.RecordBatch:
    """The columns that `packed` made such rows (`matrix`) of."""
    arrays, place = [], 0
    for field in schema:
        size = width_of(field.type) or 0
        arrays.append(_array(np.ascontiguousarray(rows[:, place : place + size]), field.type, len(rows)))
        place += size
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def row_width(schema: pa.Schema) -> int:
    """Bytes that a packed row takes."""
    return sum(width_of(field.type) or 0 for field in schema)


def _array(data: NDArray[np.uint8], kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        inner = _array(data, kind.value_type, count * kind.list_size)
        return pa.FixedSizeListArray.from_arrays(inner, type=kind)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(data)])


def numbers(column: pa.ListArray, columns: int) -> NDArray[np.uint64]:
    """A list column whose rows all have `columns` numbers, shape (n, columns)."""
    found: NDArray[np.uint64] = column.flatten().to_numpy().reshape(len(column), columns)
    return found


def lists(values: NDArray[np.uint64] | NDArray[np.int64]) -> pa.ListArray:
    """The inverse of `numbers`."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(values).reshape(-1)))
