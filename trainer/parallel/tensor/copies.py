"""Adds up the gradients of parameters that all ranks of a tensor group have, each for its own heads and tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from lauter.trainer.batch import Batch
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.passes import Passes, Sums
from lauter.trainer.parallel.tensor.collectives import Group, all_reduce

_ELEMENTS = 1 << 23
"""Of one message at most, unless one gradient is larger: 32 MB in fp32."""


class SummedCopies:
    """Passes whose copied parameters get their sums once a step, after the last micro-batch, as in Megatron-LM.

    There FSDP2 has reduced and accumulated them in fp32: what is sent are shards, and of a whole model a few hundred
    kilobytes.
    """

    def __init__(self, passes: Passes, model: Apertus, names: Sequence[str], group: Group) -> None:
        """Of a model that is laid out; `names` are from `split.split`."""
        self._passes, self._model, self._names, self._group = passes, model, frozenset(names), group

    def train(
        self, batches: Sequence[Batch], *, normaliser: float, z_loss: float, after_each: Callable[[], None]
    ) -> Sums:
        """As `Passes.train`."""
        sums = self._passes.train(batches, normaliser=normaliser, z_loss=z_loss, after_each=after_each)
        gradients = [one.grad for name, one in self._model.named_parameters() if name in self._names]
        add_up([one for one in gradients if one is not None], self._group)
        return sums

    def token_losses(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_losses`."""
        return self._passes.token_losses(batches)

    def token_hits(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_hits`."""
        return self._passes.token_hits(batches)


@torch.no_grad()
def add_up(gradients: Sequence[Tensor], group: Group) -> None:
    """Sum each over the group, in place; all ranks of it have the same ones, in the same order and of one dtype."""
    bucket: list[Tensor] = []
    for gradient in [one.to_local() if isinstance(one, DTensor) else one for one in gradients]:
        if bucket and sum(one.numel() for one in bucket) + gradient.numel() > _ELEMENTS:
            _add_up(bucket, group)
            bucket = []
        bucket.append(gradient)
    if bucket:
        _add_up(bucket, group)


def _add_up(bucket: Sequence[Tensor], group: Group) -> None:
    total = all_reduce(torch.cat([one.reshape(-1) for one in bucket]), group.name)
    for one, part in zip(bucket, total.split([one.numel() for one in bucket]), strict=True):
        one.copy_(part.view_as(one))
