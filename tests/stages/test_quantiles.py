"""Thresholds by language against sorted lists of scores."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import ceil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.histograms import Histogram
from lauter.pipeline.steps.survey import summed
from lauter.stages.quantiles import BINS, GROUPS, counted, key_of, least_kept, most_kept, populations

LABELS = ("deu_Latn", "rus_Cyrl", "de", None)
DOCUMENTS = st.lists(st.tuples(st.sampled_from(LABELS), st.none() | st.integers(0, 12)), max_size=60)


def numbers(documents: list[tuple[str | None, int | None]], group: int = 0) -> np.ndarray:
    labels = pa.array([label for label, _ in documents], pa.string()).dictionary_encode()
    return counted(labels, pa.array([score for _, score in documents], pa.uint16()), group)


def once(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return found, np.ones(len(found), np.uint64)


@given(DOCUMENTS, st.lists(st.integers(0, 60), max_size=4), st.sampled_from([0.1, 0.33, 0.5, 0.95, 1.0]))
def test_limits_equal_those_of_sorted_scores_however_the_documents_are_parted(
    documents: list[tuple[str | None, int | None]], cuts: list[int], share: float
) -> None:
    bounds = sorted({0, len(documents), *(min(cut, len(documents)) for cut in cuts)})
    parts = [documents[start:end] for start, end in pairwise(bounds)]
    found = populations(*summed(once(numbers(part)) for part in reversed(parts)))
    scores: dict[str | None, list[int]] = defaultdict(list)
    for label, score in documents:
        if score is not None:
            scores[label].append(score)
    assert set(found) == {key_of(label) for label in scores}
    for label, values in scores.items():
        mine = found[key_of(label)]
        wanted = ceil(round(share * 100) * len(values) / 100)
        assert mine.documents == len(values)
        assert least_kept(mine, share) == sorted(values, reverse=True)[wanted - 1]
        assert most_kept(mine, share) == sorted(values)[wanted - 1]


def test_a_share_is_the_decimal_that_was_written() -> None:
    # In doubles 0.07 * 100 is 7.000000000000001, whose ceiling is 8.
    ascending = Histogram(np.arange(100), np.ones(100, np.int64))
    assert least_kept(ascending, 0.07) == 93
    assert most_kept(ascending, 0.07) == 6


def test_all_that_tie_with_the_last_are_kept() -> None:
    tied = Histogram(np.array([3, 5]), np.array([10, 90]))
    assert least_kept(tied, 0.1) == 5
    assert least_kept(tied, 0.91) == 3


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        least_kept(Histogram(np.array([1]), np.array([1])), share)


def test_groups_and_languages_have_populations_of_their_own() -> None:
    documents: list[tuple[str | None, int | None]] = [("deu_Latn", BINS - 1), ("fra_Latn", 0)]
    found = populations(*summed(once(numbers(documents, group)) for group in (0, GROUPS - 1)))
    assert len(found) == 4
    assert found[key_of("deu_Latn", GROUPS - 1)].values.tolist() == [BINS - 1]
    assert key_of("deu_Latn", GROUPS - 1) < 2**64 // BINS
