from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import parquet
from lauter.pipeline.compact import read_struct
from lauter.pipeline.footer import FooterBroken, row_group_ranges

COLUMNS = {
    "text": pa.large_string(),
    "flag": pa.bool_(),
    "name": pa.dictionary(pa.int32(), pa.string()),
    "rule": pa.struct([pa.field("line", pa.int32()), pa.field("text", pa.string())]),
    "ids": pa.list_(pa.uint32()),
    "score": pa.float64(),
}


def _table(rows: int, names: list[str]) -> pa.Table:
    values = {
        "text": [f"text {index}" for index in range(rows)],
        "flag": [index % 3 == 0 for index in range(rows)],
        "name": [None if index % 5 == 0 else f"n{index % 4}" for index in range(rows)],
        "rule": [None if index % 2 else {"line": index, "text": "a rule"} for index in range(rows)],
        "ids": [list(range(index % 9)) for index in range(rows)],
        "score": [index / 7 for index in range(rows)],
    }
    return pa.table({name: pa.array(values[name], COLUMNS[name]) for name in names})


def _write(rows: int, names: list[str], group: int) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(_table(rows, names), sink, row_group_size=group, compression="zstd")
    return sink.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True),
    st.integers(5, 90),
)
def test_ranges_are_those_that_arrow_reads(rows: int, names: list[str], group: int) -> None:
    data = _write(rows, names, group)
    found = row_group_ranges(pa.BufferReader(data), data.size)
    assert found == parquet.row_group_ranges(pq.read_metadata(pa.BufferReader(data)))
    assert len(found) == -(-rows // group)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_footer_is_broken_or_says_something_but_never_crashes(data: st.DataObject) -> None:
    content = bytearray(_write(60, ["text", "rule"], 20))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(len(content) - 1200, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        ranges = row_group_ranges(pa.BufferReader(bytes(content)), len(content))
    except FooterBroken:
        return
    assert all(4 <= start <= end <= len(content) for start, end in ranges)
    assert ranges == _plainly(bytes(content))


def _plainly(content: bytes) -> list[tuple[int, int]]:
    """The ranges by the reader of `compact.py`: field ids as in parquet.thrift."""
    footer = read_struct(content[-8 - int.from_bytes(content[-8:-4], "little") : -8])
    found = []
    for group in footer[4].content.items:
        chunks = [column[3].content for column in group[1].content.items]
        starts = [min(chunk[9].content, chunk.get(11, chunk[9]).content) for chunk in chunks]
        found.append((min(starts), max(start + chunk[7].content for start, chunk in zip(starts, chunks, strict=True))))
    return found


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 3, b"PAR1\xff\xff\xff\xffPAR1", b"PAR1" + bytes(64)])
def test_what_is_no_parquet_file_is_broken(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FooterBroken):
        row_group_ranges(pa.BufferReader(content), len(content))
    nested = b"PAR1" + b"\x1c" * 500 + (500).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(FooterBroken):
        row_group_ranges(pa.BufferReader(nested), len(nested))
