"""Row groups that hold nothing to remove keep their bytes, wherever they come to lie."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.compact import read_struct, write_struct
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown import blank
from lauter.pipeline.takedown.splice import rewrite_messages, rewrite_row_groups

SHARD = schema.TOKENS.with_metadata({b"lauter.stream": b"main"})


def _shard(path: Path, groups: int, rows: int) -> None:
    """Row groups that were written in uneven batches, as `pack` does: their pages could not be made again."""
    random = np.random.default_rng(5)
    sink = parquet.ParquetSink(path, SHARD, 1 << 62)
    for group in range(groups):
        left = rows
        while left:
            count = min(left, int(random.integers(1, 90)))
            lengths = random.integers(1, 400, count)
            tokens = pa.ListArray.from_arrays(
                pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
                pa.array(random.integers(0, 1 << 17, lengths.sum()).astype(np.uint32)),
                type=SHARD.field("tokens").type,
            )
            columns = [
                pa.array([random.bytes(16) for _ in range(count)], schema.DOC_ID),
                pa.array([f"source-{group}"] * count).dictionary_encode().cast(SHARD.field("source").type),
                pa.array([["eng_Latn", "deu_Latn", None][i % 3] for i in range(count)]).dictionary_encode(),
                pa.array(lengths.astype(np.int32)),
                pa.array(np.ones(count, np.uint32)),
                tokens,
                pa.array(np.zeros(count, np.bool_)),
            ]
            sink.write(pa.RecordBatch.from_arrays(columns, schema=SHARD))
            left -= count
        sink.cut()
    sink.close()


def _digests(path: Path) -> list[str]:
    data = path.read_bytes()
    ranges = parquet.row_group_ranges(pq.read_metadata(path))
    return [hashlib.sha256(data[start:end]).hexdigest() for start, end in ranges]


def _blanked(row: int) -> blank.Mask:
    mask = np.zeros(1500, np.bool_)
    mask[row] = True
    return mask


def test_only_the_row_groups_that_hold_it_change(tmp_path: Path) -> None:
    _shard(tmp_path / "shard", 4, 1500)
    before, table = _digests(tmp_path / "shard"), pq.read_table(tmp_path / "shard")
    storage = Storage(str(tmp_path))
    rewrite_row_groups(
        storage, "shard", tmp_path / "new", lambda first, group: blank.shard_rows(group, _blanked(7), 10), {1}
    )
    after, now = _digests(tmp_path / "new"), pq.read_table(tmp_path / "new")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True, True]
    assert now.schema.metadata == table.schema.metadata
    assert parquet.describe(tmp_path / "new", "new").rows == 6000
    changed = 1500 + 7
    for number, (old, new) in enumerate(zip(table.to_pylist(), now.to_pylist(), strict=True)):
        if number == changed:
            assert new == {**old, "tokens": [10] * old["length"], "removed": True}
        else:
            assert new == old


def test_a_rewritten_row_group_depends_on_its_rows_alone(tmp_path: Path) -> None:
    """Two takedowns one after the other give the bytes of one that takes both rows."""
    _shard(tmp_path / "shard", 3, 1500)
    storage = Storage(str(tmp_path))

    def both(first: int, group: pa.Table) -> pa.Table:
        return blank.shard_rows(group, _blanked(3) | _blanked(900), None)

    rewrite_row_groups(storage, "shard", tmp_path / "both", both, {0, 2})
    rewrite_row_groups(
        storage, "shard", tmp_path / "one", lambda _, group: blank.shard_rows(group, _blanked(3), None), {0, 2}
    )
    rewrite_row_groups(
        storage, "one", tmp_path / "two", lambda _, group: blank.shard_rows(group, _blanked(900), None), {0, 2}
    )
    assert (tmp_path / "two").read_bytes() == (tmp_path / "both").read_bytes() != (tmp_path / "one").read_bytes()
    rewrite_row_groups(storage, "both", tmp_path / "again", both, {0, 2})
    assert (tmp_path / "again").read_bytes() == (tmp_path / "both").read_bytes()


def test_a_row_group_without_rows_is_left_out(tmp_path: Path) -> None:
    _shard(tmp_path / "shard", 3, 100)
    rewrite_row_groups(Storage(str(tmp_path)), "shard", tmp_path / "new", lambda _, group: group.slice(0, 0), {0, 1, 2})
    assert pq.read_table(tmp_path / "new").num_rows == 0
    assert pq.read_metadata(tmp_path / "new").num_row_groups == 0
    rewrite_row_groups(Storage(str(tmp_path)), "shard", tmp_path / "one", lambda _, group: group.slice(0, 0), {1})
    before = _digests(tmp_path / "shard")
    assert _digests(tmp_path / "one") == [before[0], before[2]]


def test_a_file_with_page_indexes_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [1, 2]}), tmp_path / "other", write_page_index=True)
    with pytest.raises(StorageError, match="page indexes"):
        rewrite_row_groups(Storage(str(tmp_path)), "other", tmp_path / "new", lambda _, group: group, {0})


@settings(max_examples=60, deadline=None)
@given(
    columns=st.dictionaries(
        st.text(max_size=5),
        st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=3, max_size=3),
        min_size=1,
        max_size=20,
    ),
    metadata=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=300), max_size=3),
    group=st.integers(1, 3),
)
def test_a_footer_is_written_as_it_was_read(
    columns: dict[str, list[int | None]], metadata: dict[str, str], group: int
) -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})
    pq.write_table(table.replace_schema_metadata(metadata), sink, row_group_size=group)
    data = sink.getvalue().to_pybytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    assert write_struct(read_struct(footer)) == footer


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30)), max_size=60),
    gone=st.sets(st.integers(0, 30)),
)
def test_messages_lose_rows_and_nothing_else(rows: list[tuple[int, int]], gone: set[int]) -> None:
    layout = pa.schema([("key", pa.uint64()), ("row", pa.uint32())])
    with tempfile.TemporaryDirectory() as name:
        storage = Storage(name)
        table = pa.table([[number for number, _ in enumerate(rows)], [row for _, row in rows]], schema=layout)
        exchange.write(storage, "old", table, np.array([part for part, _ in rows], np.int64))

        def dropped(some: pa.Table) -> pa.Table:
            return some.filter(pa.array(~np.isin(some.column("row").to_numpy(), list(gone))))

        wanted = set(range(len(list(exchange.messages(storage, "old", layout)))))
        count = rewrite_messages(storage, "old", Path(name) / "new", layout, dropped, wanted)
        left = [(part, number, row) for number, (part, row) in enumerate(rows) if row not in gone]
        assert count == len(left)
        for part in range(8):
            found = exchange.read_parts(storage, ["new"], part, layout)[0].to_pylist()
            assert [(item["key"], item["row"]) for item in found] == [item[1:] for item in left if item[0] == part]
        rewrite_messages(storage, "old", Path(name) / "same", layout, dropped, set())
        assert (Path(name) / "same").read_bytes() == (Path(name) / "old").read_bytes()
