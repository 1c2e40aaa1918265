from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.data.order import EndlessOrder, group_order, shuffled


@given(seed=st.integers(0, (1 << 63) - 1), epoch=st.integers(1, 9), groups=st.integers(1, 200))
def test_a_later_epoch_is_a_permutation(seed: int, epoch: int, groups: int) -> None:
    order = group_order("layout", seed, "main", epoch, groups)
    assert sorted(order.tolist()) == list(range(groups))
    assert (order == group_order("layout", seed, "main", epoch, groups)).all()


def test_what_the_order_depends_on() -> None:
    base = group_order("layout", 1, "main", 1, 50).tolist()
    others = [("other", 1, "main", 1), ("layout", 2, "main", 1), ("layout", 1, "web", 1), ("layout", 1, "main", 2)]
    orders = [group_order(*other, 50).tolist() for other in others]
    assert base not in orders and base != sorted(base)
    assert group_order("layout", 1, "main", 0, 50).tolist() == sorted(base)


def test_the_order_is_pinned() -> None:
    """A checkpoint's run must go on as it began with every later version."""
    assert shuffled("key", 8).tolist() == [0, 7, 2, 5, 6, 3, 4, 1]


def test_all_permutations_of_three_come_about_equally_often() -> None:
    found: dict[tuple[int, ...], int] = {}
    for number in range(6000):
        permutation = tuple(shuffled(f"key {number}", 3).tolist())
        found[permutation] = found.get(permutation, 0) + 1
    # Chi-square with 5 degrees of freedom: 20.5 is passed by 1 in 1,000.
    assert sum((count - 1000) ** 2 / 1000 for count in found.values()) < 20.5 and len(found) == 6


@given(
    places=st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any),
    start=st.integers(0, 100),
    count=st.integers(0, 60),
)
def test_pieces_are_the_places_one_after_the_other(places: list[int], start: int, count: int) -> None:
    order = EndlessOrder("layout", 7, "main", np.array(places))
    endless = [
        (int(group), place)
        for epoch in range(200)
        for group in group_order("layout", 7, "main", epoch, len(places))
        for place in range(places[group])
    ]
    found = [(piece.group, place) for piece in order.pieces(start, count) for place in range(piece.start, piece.end)]
    assert found == endless[start : start + count]
