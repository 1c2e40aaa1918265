from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.fixed_width import lists, matrix, numbers, packed, row_width, unpacked, width_of

SCHEMA = pa.schema(
    [
        pa.field("size", pa.uint32()),
        pa.field("sketch", pa.binary(5)),
        pa.field("lanes", pa.list_(pa.int16(), 3)),
        pa.field("score", pa.float64()),
    ]
)
ROW = st.tuples(
    st.integers(0, 2**32 - 1),
    st.binary(min_size=5, max_size=5),
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=3, max_size=3),
    st.floats(allow_nan=False),
)


@given(rows=st.lists(ROW, max_size=20), start=st.integers(0, 20), length=st.integers(0, 20))
def test_what_is_packed_comes_back_whatever_was_cut(
    rows: list[tuple[int, bytes, list[int], float]], start: int, length: int
) -> None:
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(SCHEMA)]
    batch = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    whole = packed(batch)
    assert {len(value) for value in whole.to_pylist()} <= {row_width(SCHEMA)} == {4 + 5 + 6 + 8}
    cut = batch.slice(start, length)
    assert packed(cut).equals(whole.slice(start, length))
    back = unpacked(matrix(whole.slice(start, length), row_width(SCHEMA)), SCHEMA)
    assert back.to_pylist() == cut.to_pylist()


@pytest.mark.parametrize(
    ("kind", "width"), [(pa.bool_(), None), (pa.string(), None), (pa.list_(pa.uint8()), None), (pa.uint8(), 1)], ids=str
)
def test_only_whole_bytes_have_a_width(kind: pa.DataType, width: int | None) -> None:
    assert width_of(kind) == width


def test_nulls_cannot_be_packed() -> None:
    for column in (pa.array([1, None], pa.uint8()), pa.array([[1, None]], pa.list_(pa.uint8(), 2))):
        with pytest.raises(ValueError, match="nulls"):
            packed(pa.RecordBatch.from_arrays([column], names=["x"]))


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9)), max_size=9), width=st.sampled_from([0, 2])
)
def test_numbers_of_a_list_column(rows: list[tuple[int, int]], width: int) -> None:
    values = np.array(rows, np.uint64).reshape(-1, 2)[:, :width]
    column = lists(values)
    assert numbers(column, width).tolist() == values.tolist()
    assert numbers(column.slice(1), width).tolist() == values[1:].tolist()
