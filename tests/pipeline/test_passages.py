"""Which occurrences come again: against sorted lists, whatever the batches, and in cells of any size."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.steps import passages
from lauter.pipeline.steps.layouts import PASSAGES, REPEATS
from lauter.pipeline.steps.passages import MOST, Held, repeats
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Task

Row = tuple[int, int, int, int, int]

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.just(0), st.integers(0, 3), st.integers(4, 6)), max_size=30
)
"""(key, order, row, start, end); places of one key may be equal, as those of two documents of equal hash are."""


def table(rows: list[Row]) -> pa.RecordBatch:
    columns = np.array(rows, np.uint64).reshape(-1, 5).T
    return pa.RecordBatch.from_arrays(
        [
            pa.array(column.astype(field.type.to_pandas_dtype()))
            for column, field in zip(columns, PASSAGES, strict=True)
        ],
        schema=PASSAGES,
    )


def plain(rows: list[Row], keeps: int) -> list[tuple[int, int, int, int]]:
    """(row, start, end, occurrences) of what lies behind the last occurrence that stays."""
    by_key = defaultdict(list)
    for key, order, _, start, _ in rows:
        by_key[key].append((order, start))
    found = []
    for key, order, row, start, end in rows:
        places = sorted(by_key[key])
        if len(places) > keeps and (order, start) > places[keeps - 1]:
            found.append((row, start, end, len(places)))
    return found


@given(ROWS, st.integers(1, 3), st.integers(1, 5))
def test_as_with_sorted_lists(rows: list[Row], keeps: int, merged: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "MERGED_ROWS", merged)
        held = Held.empty()
        for start in range(0, len(rows), 3):
            held.add(table(rows[start : start + 3]), keeps)
        limits = held.limits(keeps)
    assert (limits.passages, limits.distinct) == (len(rows), len({row[0] for row in rows}))
    found = limits.again(table(rows)).to_pylist() if len(limits.key) else []
    assert [tuple(row.values()) for row in found] == plain(rows, keeps)
    counts = sorted((sum(row[0] == key for row in rows) for key in {row[0] for row in rows}), reverse=True)
    assert [times for times, _ in limits.most()] == [count for count in counts if count > keeps][:MOST]


def test_a_key_that_stands_very_often_is_held_as_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "MERGED_ROWS", 1000)
    held = Held.empty()
    for document in range(100):
        held.add(table([(5, document, 0, place, place + 9) for place in range(500)]), 2)
    assert len(held._columns[0]) + held._waiting <= 1002
    limits = held.limits(2)
    assert (limits.occurrences.tolist(), limits.order.tolist(), limits.start.tolist()) == ([50_000], [0], [1])


@pytest.mark.parametrize("group_bytes", [1, 1 << 30])
def test_cells_one_by_one_or_together_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_bytes: int
) -> None:
    monkeypatch.setattr(passages, "GROUP_BYTES", group_bytes)
    storage = Storage(str(tmp_path))
    random = np.random.default_rng(3)
    rows: list[list[Row]] = []
    outputs = []
    pool = random.integers(0, 1 << 64, 60, dtype=np.uint64)
    for part in range(3):
        key = random.choice(pool, 60)
        rows.append([(int(k), part * 1000 + n, n, 7 * n, 7 * n + 5) for n, k in enumerate(key)])
        batch = pa.Table.from_batches([table(rows[-1])])
        outputs.append(exchange.write(storage, f"state/passages/{part}.arrow", batch, exchange.partition_of(key, 8)))
    storage.write_json("state/list.json", [output.to_json() for output in outputs])
    found = []
    for number, cells in enumerate(([0, 3], [3, 8])):
        args = {"listing": "state/list.json", "partition": number, "cells": cells, "keeps": 1}
        result = repeats(Task(f"repeats/{number}", "", str(tmp_path), args), storage)
        for part in range(3):
            for batch in exchange.read(storage, result.outputs[0].path, part, REPEATS):
                found += [(part, *row.values()) for row in batch.to_pylist()]
    every = [row for part in rows for row in part]
    expected = [(part, *row) for part in range(3) for row in plain_of(rows[part], every)]
    assert sorted(found) == sorted(expected) != []


def plain_of(rows: list[Row], every: list[Row]) -> list[tuple[int, int, int, int]]:
    """Of some rows what comes again among all."""
    own = {(key, order, start) for key, order, _, start, _ in rows}
    behind = []
    for row in every:
        if (row[0], row[1], row[3]) in own:
            same = sorted((other[1], other[3]) for other in every if other[0] == row[0])
            if (row[1], row[3]) > same[0]:
                behind.append((row[2], row[3], row[4], len(same)))
    return behind
