"""One step up to its gradient: all micro-batches of all ranks, as one sum divided by one count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lauter.trainer.batch import Batch
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a step once its gradient is there, the same on every rank."""

    loss: float
    """Mean over the targets of nll + z_loss x squared logarithm of the normaliser, nan without any target; or what the
    objective says."""
    nll: float
    """Mean cross-entropy over the targets, in nats; nan without any target."""
    norm: float
    """Of the whole gradient."""
    targets: int
    """Labels that carry loss, over all ranks and micro-batches: what the sum is divided by."""
    goldfish_dropped: int
    context: float
    """The length whose half a token attends to on average: the mean, over tokens, of the length of its document."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What else the objective tells, by name."""


class Weighed(NamedTuple):
    """A step's micro-batches with weights: the gradient of the objective is that of their weighted sum."""

    batches: Sequence[Batch]
    normaliser: float
    """What the weighted sum is divided by, the same on every rank."""
    loss: float
    """The objective itself, over all ranks: no sum of cross-entropies."""
    measures: Mapping[str, float]
    """For metrics.jsonl, the same on every rank."""


class Objective(Protocol):
    """What a step lowers, in place of the mean cross-entropy of its targets."""

    def begin(self, passes: Passes, axes: Axes) -> None:
        """Called by all ranks before the first step of a run, while the model has the weights that it begins with."""
        ...

    def weigh(self, passes: Passes, batches: Sequence[Batch], axes: Axes) -> Weighed:
        """Give the labels weights, after what passes without gradients find. Called by all ranks."""
        ...


def gradient(
    passes: Passes,
    optimizer: Optimizer,
    batches: Sequence[Batch],
    *,
    z_loss: float,
    axes: Axes,
    objective: Objective | None = None,
) -> Figures:
    """Leave the gradient of the step's loss in the optimizer's hands; parameters do not change.

    Without an `objective` it is the mean cross-entropy.

    The mean is over the targets of all ranks and micro-batches, counted before the backward pass. A mean of means would
    weigh tokens by how full their micro-batch is, which Goldfish and removed documents make differ
    (torchtitan#2972), and would change with the number of ranks.
    """
    counted = [
        sum(batch.targets for batch in batches),
        sum(batch.goldfish_dropped for batch in batches),
        sum(len(batch.tokens) for batch in batches),
        sum(float(batch.bounds.cu_seqlens.diff().double().square().sum()) for batch in batches),
    ]
    targets, dropped, places, squares = axes.ranks.sum(counted if axes.counts_data else [0.0] * len(counted))
    weighed = None if objective is None else objective.weigh(passes, batches, axes)
    sums = passes.train(
        batches if weighed is None else weighed.batches,
        normaliser=max(targets, 1.0) if weighed is None else weighed.normaliser,
        z_loss=z_loss,
        after_each=optimizer.accumulate if len(batches) > 1 else _nothing,
    )
    nll, z = axes.ranks.sum([float(sums.nll), float(sums.z)] if axes.counts_loss else [0.0, 0.0])
    mean = (nll + z_loss * z) / targets if targets else float("nan")
    return Figures(
        loss=mean if weighed is None else weighed.loss,
        nll=nll / targets if targets else float("nan"),
        # Groups of ranks add the same parts up, and on GPUs each in an order of its own: by the last bit of a norm
        # copies of a weight would be clipped differently and drift apart, or ranks judge a step differently.
        norm=axes.ranks.first_says(optimizer.gradient_norm()),
        targets=int(targets),
        goldfish_dropped=int(dropped),
        context=squares / places,
        measures={} if weighed is None else weighed.measures,
    )


def _nothing() -> None:
    """After the only micro-batch of a step."""
