from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline import components
from lauter.pipeline.components import Numbering, distinct, write_edges
from lauter.pipeline.steps import connect
from lauter.pipeline.storage import Storage
from tests.pipeline.component_run import labels
from tests.pipeline.test_union_find import components_plainly

ITEM = st.one_of(st.integers(0, 2**64 - 1), st.integers(2**63 - 9, 2**63 + 9))
EDGE_FILES = st.lists(st.lists(st.tuples(ITEM, ITEM), max_size=30), max_size=4)


def as_edges(pairs: list[tuple[int, int]]) -> NDArray[np.uint64]:
    kept = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    return np.array(kept, np.uint64).reshape(-1, 2)


def plainly(edges: NDArray[np.uint64]) -> dict[int, int]:
    return components_plainly([(left, right) for left, right in edges.tolist()])


@settings(max_examples=8)
@given(files=EDGE_FILES, partitions=st.sampled_from([1, 3]))
def test_the_steps_find_what_walking_the_graph_finds(files: list[list[tuple[int, int]]], partitions: int) -> None:
    arrays = [as_edges(pairs) for pairs in files]
    expected = plainly(np.concatenate([np.empty((0, 2), np.uint64), *arrays]))
    with tempfile.TemporaryDirectory() as folder:
        found, result = labels(Storage(folder), arrays, partitions)
    assert found == expected
    assert result.info == {
        "nodes": len(expected),
        "edges": sum(len(array) for array in arrays),
        "components": len(set(expected.values())),
    }


def test_numbers_of_five_bytes_and_small_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    pool = generator.integers(0, 2**64, 700, np.uint64)
    files = [as_edges(generator.choice(pool, (300, 2)).tolist()) for _ in range(3)]
    expected = plainly(np.concatenate(files))
    assert labels(Storage(str(tmp_path / "narrow")), files, 5)[0] == expected
    monkeypatch.setattr(connect, "NARROW_NODES", 0)
    monkeypatch.setattr(connect, "CHUNK_BYTES", 160)
    monkeypatch.setattr(components, "PENDING_ITEMS", 64)
    wide = Storage(str(tmp_path / "wide"))
    assert labels(wide, files, 5)[0] == expected
    assert wide.size(connect.PARENTS) == 5 * len(expected)


def test_an_edge_that_is_no_edge_is_refused(tmp_path: Path) -> None:
    for pair in ([3, 3], [4, 3]):
        with pytest.raises(ValueError, match="meet/00003: the first item of an edge must be the smaller one"):
            write_edges(Storage(str(tmp_path)), "meet/00003", [np.array([pair], np.uint64)], 4)
    assert not list((tmp_path / "state").glob("e*/*/*"))


@given(chunks=st.lists(st.lists(ITEM, max_size=20), max_size=6), pending=st.integers(1, 9))
def test_distinct_items_are_a_set_sorted(chunks: list[list[int]], pending: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "PENDING_ITEMS", pending)
        found = distinct(np.array(chunk, np.uint64) for chunk in chunks)
    assert found.tolist() == sorted({item for chunk in chunks for item in chunk})


@given(items=st.sets(ITEM, max_size=60), first=st.integers(0, 2**40), strangers=st.sets(ITEM, max_size=5))
def test_numbers_are_ranks(items: set[int], first: int, strangers: set[int]) -> None:
    numbering = Numbering(np.array(sorted(items), np.uint64), first)
    ranks = {item: first + rank for rank, item in enumerate(sorted(items))}
    wanted = [*items, *sorted(items, reverse=True)]
    assert numbering.of(np.array(wanted, np.uint64)).tolist() == [ranks[item] for item in wanted]
    for stranger in strangers - items:
        with pytest.raises(KeyError, match=f"item {stranger} has an edge and no number"):
            numbering.of(np.array([*items, stranger], np.uint64))
