from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.kernels.repetition import group, ngram_repetition, repeats
from lauter.stages.kernels.words import finish_hash

unhurried = settings(deadline=None)  # the first call compiles

# Few different words and short blocks that come again, so that every order repeats.
block = st.lists(st.integers(0, 9), min_size=1, max_size=12)
sequences = st.one_of(
    st.lists(st.integers(0, 4), max_size=80),
    st.lists(block, max_size=4).flatmap(
        lambda blocks: st.lists(st.sampled_from(blocks or [[0]]), max_size=10).map(lambda parts: list(chain(*parts)))
    ),
)


def keys_of(sequence: list[int]) -> NDArray[np.uint64]:
    return np.array([finish_hash(np.uint64(word + 1)) for word in sequence], np.uint64)


def sizes_of(sequence: list[int]) -> NDArray[np.int64]:
    return np.array([word % 4 + 1 for word in sequence], np.int64)


def twin_ngrams(sequence: list[int], stride: int, space: int) -> tuple[list[int], list[int]]:
    """Every n-gram at every place, by the definition."""

    def size(place: int, order: int) -> int:
        return sum(word % 4 + 1 for word in sequence[place : place + order * stride])

    def ngrams(order: int) -> list[tuple[int, ...]]:
        reach = order * stride
        return [tuple(sequence[place : place + reach]) for place in range(len(sequence) - reach + 1)]

    top, duplicate = [], []
    for order in range(2, 5):
        found = ngrams(order)
        if not found:
            top.append(0)
            continue
        ngram, count = Counter(found).most_common(1)[0]
        top.append(count * (size(found.index(ngram), order) + space * (order - 1)))
    for order in range(5, 11):
        found, seen, place, total = ngrams(order), set(), 0, 0
        while place < len(found):
            if found[place] in seen:
                total += size(place, order)
                place += order * stride
            else:
                seen.add(found[place])
                place += 1
        duplicate.append(total)
    return top, duplicate


@unhurried
@given(sequences, st.integers(1, 3), st.integers(0, 1))
def test_ngram_repetition_is_that_of_the_twin(sequence: list[int], stride: int, space: int) -> None:
    top, duplicate = ngram_repetition(keys_of(sequence), sizes_of(sequence), stride, space)
    assert (top.tolist(), duplicate.tolist()) == twin_ngrams(sequence, stride, space)


@unhurried
@given(sequences)
def test_repeats_count_what_came_before(sequence: list[int]) -> None:
    seen: set[int] = set()
    count = size = 0
    for element in sequence:
        if element in seen:
            count += 1
            size += element % 4 + 1
        seen.add(element)
    assert repeats(keys_of(sequence), sizes_of(sequence)) == (count, size)


@unhurried
@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.lists(st.integers(0, 50), max_size=50))
def test_group_numbers_keys_by_first_appearance(pool: list[int], picks: list[int]) -> None:
    keys = np.array([pool[pick % len(pool)] for pick in picks] if pool else [], np.uint64)
    groups, counts = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    distinct = group(keys, groups, counts)
    names = list(dict.fromkeys(keys.tolist()))
    assert distinct == len(names)
    assert groups.tolist() == [names.index(key) for key in keys.tolist()]
    assert counts[:distinct].tolist() == [keys.tolist().count(name) for name in names]


def test_all_words_equal() -> None:
    """100 times "a": the walk over 5-grams meets the first, then counts 19 of them, 95 words."""
    sequence = [0] * 100
    top, duplicate = ngram_repetition(keys_of(sequence), sizes_of(sequence), 1, 1)
    assert top.tolist() == [99 * 3, 98 * 5, 97 * 7]
    assert duplicate[0] == 95
