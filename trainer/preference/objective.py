"""A preference loss as the objective of a step: two passes, whose gradient is that of the loss itself.

The loss is a function of the completions' log-probabilities, so its gradient by any parameter is the sum of slope x
gradient of a log-probability. The first pass, without gradients, finds the log-probabilities, of which each rank may
see some tokens only; from their sums come the slopes; the second is the ordinary pass of a training step, whose labels
are weighted with them. So every layout that can be trained on can learn preferences, for a third more work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lauter.trainer.batch import Batch, Completions
from lauter.trainer.loop.step import Weighed
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.preference.terms import PreferenceLoss


def _known(_passes: Passes, _axes: Axes) -> None:
    """All of them are."""


class PreferenceObjective:
    """Weighs the labels of a step by a preference loss."""

    def __init__(self, loss: PreferenceLoss, reference: Callable[[Passes, Axes], None] = _known) -> None:
        """`reference` finds what log-probabilities under the reference model are not known yet."""
        self._loss, self._reference = loss, reference

    def begin(self, passes: Passes, axes: Axes) -> None:
        """As `Objective.begin`: the model is still the reference model."""
        self._reference(passes, axes)

    def weigh(self, passes: Passes, batches: Sequence[Batch], axes: Axes) -> Weighed:
        """As `Objective.weigh`; every batch must have `completions`."""
        together = _joined([completions_of(batch) for batch in batches])
        found = log_probabilities(passes, batches, axes)
        terms = self._loss(found, together)
        ratios = found - together.reference
        chosen, rejected = ratios[0::2], ratios[1::2]
        mine = [terms.losses.sum(), chosen.sum(), rejected.sum(), (chosen > rejected).sum()]
        counts = [len(terms.losses), len(chosen)]
        told = [*map(float, mine), *map(float, counts)]
        loss, up, down, right, count, pairs = axes.ranks.sum(told if axes.counts_data else [0.0] * len(told))
        slopes = terms.slopes.split([len(completions_of(batch).lengths) for batch in batches])
        return Weighed(
            batches=[_weighted(batch, own) for batch, own in zip(batches, slopes, strict=True)],
            normaliser=max(count, 1.0),
            loss=loss / count if count else float("nan"),
            measures={
                "log_ratio_chosen": up / pairs if pairs else float("nan"),
                "log_ratio_rejected": down / pairs if pairs else float("nan"),
                "pairs_in_order": right / pairs if pairs else float("nan"),
                "pairs": pairs,
            },
        )


def log_probabilities(passes: Passes, batches: Sequence[Batch], axes: Axes) -> Tensor:
    """Log-probability of each completion of this rank's micro-batches, in nats: shape (n,), fp64; on the host.

    Called by all ranks.
    """
    every, own = all_log_probabilities(passes, batches, axes)
    return every[own]


def all_log_probabilities(passes: Passes, batches: Sequence[Batch], axes: Axes) -> tuple[Tensor, slice]:
    """Those of all ranks, one that reads data after the other, and which of them are this rank's.

    Called by all ranks. Tokens of a completion may lie on several of them (context), and their losses be seen by
    another one (pipeline): the sums of all completions go over all ranks, 8 bytes each.
    """
    counts = [0.0] * axes.data_ranks
    counts[axes.data_rank] = float(sum(len(completions_of(batch).lengths) for batch in batches))
    counts = axes.ranks.sum(counts if axes.counts_data else [0.0] * len(counts))
    first = int(sum(counts[: axes.data_rank]))
    every = torch.zeros(int(sum(counts)), dtype=torch.float64)
    at = first
    for part, losses in passes.token_losses(iter(batches)):
        own = completions_of(part)
        count = len(own.lengths)
        if axes.counts_loss:
            sums = torch.bincount(own.of + 1, weights=losses.double().cpu(), minlength=count + 1)
            every[at : at + count] = -sums[1:]
        at += count
    total = torch.tensor(axes.ranks.sum(every.tolist()), dtype=torch.float64)
    return total, slice(first, first + int(counts[axes.data_rank]))


def completions_of(batch: Batch) -> Completions:
    """Its completions. Raises `ValueError` where it has none, as data of another kind don't."""
    if batch.completions is None:
        raise ValueError("a preference is learnt from pairs of completions, which this batch has not")
    return batch.completions


def _weighted(batch: Batch, slopes: Tensor) -> Batch:
    """The loss of a label is minus its log-probability."""
    of = completions_of(batch).of
    # The last is for places that belong to none: -1 is its index.
    return replace(batch, weights=-torch.cat((slopes, slopes.new_zeros(1)))[of])


def _joined(parts: Sequence[Completions]) -> Completions:
    """Of all micro-batches; which places are whose is left to each."""
    return Completions(
        of=torch.empty(0, dtype=torch.int64),
        rewards=torch.cat([part.rewards for part in parts]),
        reference=torch.cat([part.reference for part in parts]),
        lengths=torch.cat([part.lengths for part in parts]),
    )
