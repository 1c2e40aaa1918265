"""How like a continuation is to the text that was planted: the metrics of Apertus (arXiv 2509.14233, section 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lauter.trainer.memorisation.overlap import common_run, common_subsequence


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of one continuation to its reference, both as token ids."""

    rouge_l: float
    """F1 of their longest common subsequence (Lin, ROUGE, 2004): 1 where they are equal."""
    run: float
    """Longest common run, as a share of the reference (Apertus: LCCS)."""
    variety: float
    """Different ids among all ids of the continuation (type-token ratio, TTR): low where it goes round in circles."""
    exact: bool


def likeness(said: Sequence[int], reference: Sequence[int]) -> Likeness:
    """Compare; a continuation without any token is like nothing.

    Raises:
        ValueError: the reference is empty.
    """
    if not reference:
        raise ValueError("the reference is empty: there is nothing to compare with")
    if not said:
        return Likeness(0.0, 0.0, 0.0, exact=False)
    left, right = np.array(said, np.int64), np.array(reference, np.int64)
    # Precision c / |said| and recall c / |reference| give 2c / (|said| + |reference|).
    rouge_l = 2 * common_subsequence(left, right) / (left.size + right.size)
    return Likeness(rouge_l, common_run(left, right) / right.size, variety(said), exact=list(said) == list(reference))


def variety(ids: Sequence[int]) -> float:
    """Different ids among all; 0 of none."""
    return len(set(ids)) / len(ids) if ids else 0.0
