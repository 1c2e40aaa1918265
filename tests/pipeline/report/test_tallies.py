"""Tallies: the same sums whatever the pieces, and every key of a name in one range."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.report.tallies import KEYS, SUMS, Sums, TallySink, range_of, range_tallies
from lauter.pipeline.steps.layouts import TALLIES
from lauter.pipeline.storage import Storage

NAMES = st.sampled_from(["a.example", "b.example", "", None, "ü.example"])
ROW = st.fixed_dictionaries(
    {
        "of": st.sampled_from(["host", "group"]),
        "source": st.sampled_from(["web", None]),
        "verdict": st.just(None),
        "stage": st.sampled_from(["dedup", None]),
        "reason": st.just(None),
        "name": NAMES,
        "more": st.just(None),
        "records": st.integers(0, 2**40),
        "tokens": st.integers(0, 9),
        "chars": st.integers(0, 9),
        "first": st.none(),
        "last": st.none(),
    }
)


def _plain(table: pa.Table) -> Counter[tuple[object, ...]]:
    """(key, name of a sum) -> sum."""
    found = Counter[tuple[object, ...]]()
    for row in table.to_pylist():
        for name in SUMS:
            found[*(row[key] for key in KEYS), name] += row[name]
    return found


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, max_size=60), piece=st.integers(1, 20), held=st.sampled_from([1, 5, 1000]))
def test_sums_are_those_of_a_plain_count(rows: list[dict[str, object]], piece: int, held: int) -> None:
    whole = pa.Table.from_pylist(rows, TALLIES)
    sums = Sums(held)
    for start in range(0, len(rows), piece):
        sums.add(whole.slice(start, piece))
    found = sums.table()
    assert found.schema == TALLIES and sums.table() is found
    assert _plain(found) == _plain(whole)
    assert len({tuple(row[key] for key in KEYS) for row in found.to_pylist()}) == found.num_rows


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, max_size=60), ranges=st.integers(1, 4), held=st.sampled_from([1, 4, 1000]))
def test_ranges_have_every_row_once(rows: list[dict[str, object]], ranges: int, held: int) -> None:
    whole = pa.Table.from_pylist(rows, TALLIES)
    with tempfile.TemporaryDirectory() as folder:
        sink = TallySink(Path(folder) / "x.arrow", ranges, held)
        for start in range(0, len(rows), 3):
            sink.add(whole.slice(start, 3))
        sink.close()
        found = [list(range_tallies(Storage(folder), ["x.arrow"], number)) for number in range(ranges)]
        tables = [pa.concat_tables([TALLIES.empty_table(), *some]) for some in found]
    assert _plain(pa.concat_tables(tables)) == _plain(whole)
    assert sink.rows == sum(table.num_rows for table in tables)
    for number, table in enumerate(tables):
        names = table.column("name")
        assert (range_of(names, ranges) == number).all()


def test_a_range_is_one_of_equal_parts_of_the_hashes() -> None:
    names = pa.chunked_array([["a.example", None], [], ["b.example", "a.example"]], pa.string())
    hashes = [xxhash.xxh3_64_intdigest(name or "") for name in names.to_pylist()]
    assert range_of(names, 256).tolist() == [value >> 56 for value in hashes]
    assert np.array_equal(range_of(names, 1), np.zeros(4))
