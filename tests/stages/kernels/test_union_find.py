"""Union-find: the kernels against plain Python and against their invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels.union_find import Index, find, flatten, insert_nodes, unite

edge_lists = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60)


def components_plainly(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Smallest node of each node's component, by walking the graph; no union-find."""
    neighbours: dict[int, set[int]] = {}
    for left, right in edges:
        neighbours.setdefault(left, set()).add(right)
        neighbours.setdefault(right, set()).add(left)
    smallest: dict[int, int] = {}
    for start in sorted(neighbours):
        stack = [start]
        while stack:
            node = stack.pop()
            if node not in smallest:
                smallest[node] = start
                stack.extend(neighbours[node])
    return smallest


def united(edges: list[tuple[int, int]], size: int, dtype: type[np.uint32] | type[np.int64]) -> Index:
    parent: Index = np.arange(size, dtype=np.uint32) if dtype is np.uint32 else np.arange(size, dtype=np.int64)
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    unite(parent, pairs[:, 0], pairs[:, 1])
    return parent


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
@settings(deadline=None)  # the first call compiles
@given(edges=edge_lists)
def test_components_equal_plain_python(dtype: type[np.uint32] | type[np.int64], edges: list[tuple[int, int]]) -> None:
    parent = united(edges, 31, dtype)
    assert all(above <= node for node, above in enumerate(parent.tolist()))
    roots = [int(find(parent, node)) for node in range(31)]
    flatten(parent)
    expected = components_plainly(edges)
    assert parent.tolist() == roots == [expected.get(node, node) for node in range(31)]


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_is_one_component(step: int) -> None:
    edges = [(node, node + 1) for node in range(200_000)]
    parent = united(edges[::step], 200_001, np.uint32)
    flatten(parent)
    assert not parent.any()


@settings(deadline=None)  # the first call compiles
@given(edge_lists, st.sets(st.integers(0, 90), max_size=31), st.sets(st.integers(0, 90), max_size=20))
def test_inserted_nodes_leave_the_forest_as_it_was(
    edges: list[tuple[int, int]], old: set[int], added: set[int]
) -> None:
    ids = np.array(sorted(old), np.uint64)
    kept = [(left, right) for left, right in edges if left < ids.size and right < ids.size]
    parent = united(kept, ids.size, np.uint32)
    new = np.array(sorted(added - old), np.uint64)
    merged = np.empty(ids.size + new.size, np.uint64)
    grown = np.empty(merged.size, np.uint32)
    insert_nodes(ids, parent.copy(), new, merged, grown)
    assert merged.tolist() == sorted(old | added)
    before = dict(zip(ids.tolist(), ids[parent].tolist(), strict=True))
    after = dict(zip(merged.tolist(), merged[grown].tolist(), strict=True))
    assert after == before | {node: node for node in added - old}
