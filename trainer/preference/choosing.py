"""Which two completions of a prompt are learnt from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.trainer.config.preference import PairsSection
from lauter.trainer.data.order import shuffled


def chosen_pairs(
    section: PairsSection,
    quantiles: NDArray[np.float64],
    rewards: NDArray[np.float64],
    fit: NDArray[np.bool_],
    references: int,
    key: str,
) -> list[tuple[int, int]]:
    """Pairs of completions of one prompt, the one with the higher reward first; none where the prompt has none.

    Args:
        section: which, and how many.
        quantiles: quantile reward of each completion, shape (n,).
        rewards: of each, shape (n,).
        fit: whether it may be learnt from, shape (n,): it ended, and fits a window.
        references: the first so many are the reference model's.
        key: decides what is left to chance.

    Of equal ones that which comes first in a shuffled order is taken, so that none is preferred for its place.
    """
    order = [int(one) for one in shuffled(key, len(rewards)) if fit[one]]
    if section.choice == "random":
        couples = [(order[at], order[at + 1]) for at in range(0, len(order) - 1, 2)]
        found = [(one, other) if rewards[one] >= rewards[other] else (other, one) for one, other in couples]
    elif section.choice == "spread":
        ascending = sorted(order, key=lambda one: rewards[one])
        found = [
            (best, least)
            for best, least in zip(reversed(ascending), ascending, strict=True)
            if rewards[best] > rewards[least]
        ][: len(ascending) // 2]
    else:
        top = rewards[:references].max()
        better = [one for one in order if rewards[one] > top]
        worse = [one for one in order if quantiles[one] <= section.worst and rewards[one] <= top]
        found = list(zip(sorted(better, key=lambda one: -rewards[one]), worse, strict=False))
    return found[: section.per_prompt]
