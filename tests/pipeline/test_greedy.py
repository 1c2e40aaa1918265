"""The kernels that choose among copies, beside plain Python."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.pipeline.steps.joining.greedy import BY_EDGE, BY_IDENTITY, BY_ITEM, anchors, foremost, keepers

ITEMS, NUMBERS = 6, 4


class Case(NamedTuple):
    """Documents in order of preference: item and identities of each; edges between items."""

    item: list[int]
    identities: list[tuple[int, int]]
    edges: set[tuple[int, int]]
    settled: int


CASES = st.builds(
    lambda documents, edges, settled: Case(
        [item for item, _, _ in documents],
        [(one, other) for _, one, other in documents],
        {(min(a, b), max(a, b)) for a, b in edges if a != b},
        min(settled, len(documents)),
    ),
    st.lists(
        st.tuples(st.integers(0, ITEMS - 1), st.integers(-1, NUMBERS // 2 - 1), st.sampled_from([-1, 2, 3])),
        max_size=12,
    ),
    st.sets(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, ITEMS - 1)), max_size=9),
    st.integers(0, 3),
)


def neighbours_of(edges: set[tuple[int, int]], item: int) -> list[int]:
    """The other ends of an item's edges."""
    return sorted({b if a == item else a for a, b in edges if item in (a, b)})


def arrays(case: Case) -> tuple[NDArray[np.int64], ...]:
    """item, identities, starts, neighbours as the kernels take them."""
    lists = [neighbours_of(case.edges, item) for item in range(ITEMS)]
    starts = np.cumsum([0, *map(len, lists)])
    flat = np.array([other for some in lists for other in some], np.int64)
    return np.array(case.item, np.int64), np.array(case.identities, np.int64).reshape(-1, 2), starts, flat


def keepers_plainly(case: Case) -> tuple[list[int], list[int]]:
    """(keeper, how) by the rule in words."""
    keeper, how, kept = [], [], list[int]()
    for document, (item, own) in enumerate(zip(case.item, case.identities, strict=True)):
        found = [(other, BY_ITEM) for other in kept if case.item[other] == item]
        for column in range(2):
            found += [
                (other, BY_IDENTITY + column)
                for other in kept
                if own[column] >= 0 and case.identities[other][column] == own[column]
            ]
        found += [(other, BY_EDGE) for other in kept if case.item[other] in neighbours_of(case.edges, item)]
        if document < case.settled or not found:
            kept.append(document)
            found = [(document, 0)]
        keeper.append(found[0][0])
        how.append(found[0][1])
    return keeper, how


@settings(max_examples=300, deadline=None)
@given(case=CASES)
def test_what_is_kept_is_as_the_rule_says(case: Case) -> None:
    item, identities, starts, flat = arrays(case)
    keeper, how, holder = keepers(item, identities, starts, flat, case.settled, NUMBERS)
    assert (keeper.tolist(), how.tolist()) == keepers_plainly(case)
    for own in range(ITEMS):
        kept = [d for d in range(len(case.item)) if case.item[d] == own and how[d] == 0]
        assert holder[own] == (kept[0] if kept else -1)


@settings(max_examples=300, deadline=None)
@given(case=CASES)
def test_what_is_compared_again_is_what_stands_for_a_neighbour(case: Case) -> None:
    item, identities, starts, flat = arrays(case)
    keeper, _, holder = keepers(item, identities, starts, flat, case.settled, NUMBERS)
    pairs = anchors(item, keeper, holder, starts, flat)
    stands = {}
    for own in range(ITEMS):
        if holder[own] < 0:
            found = [keeper[d] for d in range(len(item)) if item[d] == own]
            found += [holder[n] for n in neighbours_of(case.edges, own) if holder[n] >= 0]
            stands[own] = min(found, default=-1)
    for own in range(ITEMS):
        if holder[own] >= 0:
            known = [stands[n] for n in neighbours_of(case.edges, own) if stands.get(n, -1) >= 0 and holder[n] < 0]
            stands[own] = min((s for s in known if s < holder[own]), default=-1)
    wanted = {
        (own, int(item[stands[n]]))
        for own in set(case.item)
        for n in neighbours_of(case.edges, own)
        if stands[n] >= 0 and item[stands[n]] != own and holder[own] != stands[n]
    }
    assert {(a, b) for a, b in pairs.tolist()} == wanted
    assert len(pairs) <= len(flat)


GROUPS = st.lists(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(-1, 1), st.integers(-1, 1)),
        min_size=1,
        max_size=6,
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(groups=GROUPS)
def test_without_a_graph_the_foremost_copy_counts(groups: list[list[tuple[bool, bool, bool, int, int]]]) -> None:
    rows = [(g, *row) for g, group in enumerate(groups) for row in group]
    own = np.array([row[1] for row in rows], np.bool_)
    # An item is no neighbour of itself.
    verified = np.array([row[2] and not row[1] for row in rows], np.bool_)
    settled = np.array([row[3] for row in rows], np.bool_)
    numbers = 4 * len(groups)
    identities = np.array(
        [[4 * g + v + 2 * k if v >= 0 else -1 for k, v in enumerate(row)] for g, *_, a, b in rows for row in [(a, b)]],
        np.int64,
    ).reshape(-1, 2)
    starts = np.cumsum([0, *map(len, groups)])
    keeper, how = foremost(starts, own, verified, settled, identities, numbers)
    for document, row in enumerate(rows):
        before = [d for d in range(document) if rows[d][0] == row[0]]
        found = [(d, BY_ITEM) for d in before if own[d]]
        for column in range(2):
            mine = identities[document, column]
            found += [(d, BY_IDENTITY + column) for d in before if mine >= 0 and identities[d, column] == mine]
        found += [(d, BY_EDGE) for d in before if verified[d]]
        wanted = found[0] if found and own[document] and not settled[document] else (document, 0)
        assert (keeper[document], how[document]) == wanted
