"""Forward and backward passes of a model that was laid over the ranks, whatever the layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lauter.trainer.batch import Batch
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.axes import CONTEXT, Axes
from lauter.trainer.parallel.context.split import part_of


class Sums(NamedTuple):
    """What the passes of a step add up on this rank, without gradient: scalars in fp64.

    The sum over the ranks with `Axes.counts_loss` is that of the whole step.
    """

    nll: Tensor
    """Negative log-likelihoods in nats."""
    z: Tensor
    """Squares of the logarithms of the softmax's normaliser."""


class Passes(Protocol):
    """What the loop knows of a model. Each method is called by all ranks, with as many micro-batches on each."""

    def train(
        self, batches: Sequence[Batch], *, normaliser: float, z_loss: float, after_each: Callable[[], None]
    ) -> Sums:
        """Add the gradients of (nll + z_loss x z) / normaliser to the parameters', over all micro-batches.

        Each label counts with its weight, where a batch has `weights`; the sums that are given back leave them out.

        `batches` are those of this rank's share, as they were read; `after_each` is called after a backward pass.
        """
        ...

    def token_losses(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """Cross-entropy in nats without gradients: each batch, or this rank's part of it, with its places' losses.

        The losses have the shape (T,), dtype fp32 (fp64 under fp64), and are 0 where nothing is predicted. Ranks that
        do not see the loss of a batch give none for it, so that over the ranks with `Axes.counts_loss` each place comes
        once.
        """
        ...

    def token_hits(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `token_losses`; in place of losses whether a place's label is the likeliest id, bool."""
        ...


class WholeModel:
    """All layers on every rank, or sharded by FSDP2: micro-batch after micro-batch."""

    def __init__(self, model: Apertus, axes: Axes) -> None:
        """A model that `plan.lay_out` has changed."""
        self._model, self._device = model, axes.ranks.device
        self._place, self._places = axes.at(CONTEXT), axes.size(CONTEXT)

    def train(
        self, batches: Sequence[Batch], *, normaliser: float, z_loss: float, after_each: Callable[[], None]
    ) -> Sums:
        """As `Passes.train`."""
        nll = torch.zeros((), dtype=torch.float64, device=self._device)
        z = torch.zeros_like(nll)
        for batch in batches:
            part = part_of(batch, self._place, self._places)
            terms = self._model.loss(part.to(self._device), normaliser, z_loss)
            terms.total.backward()
            after_each()
            nll += terms.nll
            z += terms.z
        return Sums(nll, z)

    def token_losses(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_losses`."""
        for batch in batches:
            part = part_of(batch, self._place, self._places)
            yield part, self._model.token_losses(part.to(self._device))

    def token_hits(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_hits`."""
        for batch in batches:
            part = part_of(batch, self._place, self._places)
            yield part, self._model.token_hits(part.to(self._device))
