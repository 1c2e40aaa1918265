"""Star edges against plain Python."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.dedup.edges import star_edges

u64 = st.one_of(st.integers(0, 8), st.integers(2**64 - 4, 2**64 - 1))


def stars_plainly(rows: list[tuple[int, int]]) -> list[list[int]]:
    groups: dict[int, set[int]] = {}
    for key, node in rows:
        groups.setdefault(key, set()).add(node)
    return sorted(
        [list(edge) for edge in {(min(group), node) for group in groups.values() for node in group - {min(group)}}]
    )


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(u64, u64), max_size=40))
def test_stars_equal_plain_python_in_any_order(rows: list[tuple[int, int]]) -> None:
    table = np.array(rows, np.uint64).reshape(-1, 2)
    edges = star_edges(table[:, 0], table[:, 1])
    assert edges.dtype == np.uint64
    assert edges.shape[1:] == (2,)
    assert edges.tolist() == stars_plainly(rows)
    shuffled = np.random.default_rng(len(rows)).permutation(table)
    assert star_edges(shuffled[:, 0], shuffled[:, 1]).tolist() == edges.tolist()


def test_a_common_key_costs_one_edge_a_node() -> None:
    nodes = np.arange(100_000, dtype=np.uint64)[::-1]
    edges = star_edges(np.zeros(nodes.size, np.uint64), nodes)
    assert edges.shape == (99_999, 2)
    assert not edges[:, 0].any()


def test_memory_stays_within_what_is_documented() -> None:
    random = np.random.default_rng(0)
    key = random.integers(0, 2**64, 400_000, dtype=np.uint64)
    node = random.integers(0, 2**64, key.size, dtype=np.uint64)
    for shared in (0, 50_000, 400_000):
        key[:shared] = np.arange(shared, dtype=np.uint64) // np.uint64(2)
        tracemalloc.start()
        star_edges(key, node)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 34 * key.size + 120 * shared + 100_000
