"""The best labels come first, and equals in the order of the library's heap."""

from __future__ import annotations

import math
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.fasttext.ranking import rank

ANY = np.empty((0, 0), np.bool_)
ANY.setflags(write=False)


def ranked(probabilities: list[float], k: int, allowed: list[bool] | None = None) -> list[int]:
    row = np.array([probabilities], np.float32)
    mask = ANY if allowed is None else np.array([allowed])
    mask.setflags(write=False)
    labels, found = np.empty((1, k), np.int32), np.empty((1, k), np.float32)
    rank(row, mask, np.ones(1, np.bool_), labels, found)
    places = [int(place) for place in labels[0] if place >= 0]
    assert found[0, : len(places)].tolist() == row[0, places].tolist()
    return places


def in_python(probabilities: list[float], k: int) -> list[int]:
    """std::push_heap, pop_heap and sort_heap with the greater score as the lesser element, step by step."""
    heap: list[tuple[float, int]] = []

    def rise(hole: int, value: tuple[float, int]) -> None:
        while hole and heap[(hole - 1) // 2][0] > value[0]:
            heap[hole] = heap[(hole - 1) // 2]
            hole = (hole - 1) // 2
        heap[hole] = value

    def pop(size: int) -> None:
        value, heap[size - 1] = heap[size - 1], heap[0]
        hole, length = 0, size - 1
        while 2 * hole + 2 < length:
            child = 2 * hole + 2
            child -= heap[child][0] > heap[child - 1][0]
            heap[hole] = heap[child]
            hole = child
        if 2 * hole + 2 == length:
            heap[hole] = heap[2 * hole + 1]
            hole = 2 * hole + 1
        rise(hole, value)

    for label, probability in enumerate(probabilities):
        score = float(np.float32(math.log(float(np.float32(probability)) + 1e-5)))
        if len(heap) == k and score < heap[0][0]:
            continue
        heap.append((score, label))
        rise(len(heap) - 1, (score, label))
        if len(heap) > k:
            pop(len(heap))
            heap.pop()
    for size in range(len(heap), 1, -1):
        pop(size)
    return [label for _, label in heap]


VALUES = st.sampled_from([0.0, 1e-13, 2e-13, 1e-7, 0.1, 0.25, 0.5, 1.0])


@given(st.lists(VALUES, min_size=1, max_size=40), st.integers(1, 9))
def test_equals_come_as_from_the_heap(probabilities: list[float], k: int) -> None:
    assert ranked(probabilities, k) == in_python(probabilities, k)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60, unique=True), st.integers(1, 70))
def test_different_ones_are_sorted(numbers: list[int], k: int) -> None:
    expected = sorted(range(len(numbers)), key=lambda place: -numbers[place])[:k]
    assert ranked([number / 10_000 for number in numbers], k) == expected


def test_only_what_is_allowed() -> None:
    draw = random.Random(4)
    for _ in range(30):
        probabilities = [draw.random() for _ in range(12)]
        allowed = [draw.random() < 0.5 for _ in range(12)]
        kept = [place for place in range(12) if allowed[place]]
        assert ranked(probabilities, 4, allowed) == sorted(kept, key=lambda place: -probabilities[place])[:4]
