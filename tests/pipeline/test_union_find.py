"""Union-find: the kernels against plain Python and against their invariants, in both widths of a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.union_find import Forest, Numbers, as_forest, find, flatten, forest, roots, unite

EDGE_LISTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60)
BYTES = {4: 1 << 32, 5: 0}
"""Bytes of a number -> nodes up to which it has 4."""


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


def numbers(parent: Forest) -> list[int]:
    out: NDArray[np.uint64] = np.empty(len(parent), np.uint64)
    roots(parent, out)
    return [int(number) for number in out]


@pytest.mark.parametrize("width", [4, 5])
@pytest.mark.parametrize("kind", [np.uint32, np.uint64])
@given(edges=EDGE_LISTS)
def test_components_equal_plain_python(
    width: int, kind: type[np.uint32] | type[np.uint64], edges: list[tuple[int, int]]
) -> None:
    parent = forest(31, BYTES[width])
    assert parent.nbytes == 31 * width
    pairs: Numbers = np.array(edges, np.uint32).reshape(-1, 2)
    joined = unite(parent, pairs if kind is np.uint32 else pairs.astype(np.uint64))
    assert all(above <= node for node, above in enumerate(numbers(parent)))
    above = [int(find(parent, node)) for node in range(31)]
    flatten(parent)
    expected = components_plainly(edges)
    assert numbers(parent) == above == [expected.get(node, node) for node in range(31)]
    assert len(set(above)) == 31 - joined
    assert numbers(as_forest(parent.tobytes(), 31)) == above


@pytest.mark.parametrize("width", [4, 5])
@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_is_one_component(step: int, width: int) -> None:
    nodes = np.arange(200_000, dtype=np.uint32)
    parent = forest(200_001, BYTES[width])
    assert unite(parent, np.column_stack([nodes, nodes + 1])[::step].copy()) == 200_000
    flatten(parent)
    assert not parent.any()


def test_numbers_above_32_bits_are_whole() -> None:
    """A forest of 2**32 nodes would take 20 GB: the five bytes of one number alone are written and read."""
    parent = forest(3, 0)
    parent[2] = np.frombuffer((2**40 - 2).to_bytes(5, "little"), np.uint8)
    assert numbers(parent) == [0, 1, 2**40 - 2]


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="1099511627777 nodes: numbers of nodes have 40 bits"):
        forest(2**40 + 1)
