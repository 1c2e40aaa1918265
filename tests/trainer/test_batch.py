"""Bounds of documents."""

from __future__ import annotations

import pytest

from lauter.trainer.batch import Bounds


def test_bounds_are_sums_of_lengths() -> None:
    bounds = Bounds.of([3, 1, 2])
    assert bounds.cu_seqlens.tolist() == [0, 3, 4, 6] and bounds.longest == 3


@pytest.mark.parametrize("lengths", [[], [0], [3, 0, 2], [2, -1]], ids=str)
def test_documents_without_tokens_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Bounds.of(lengths)
