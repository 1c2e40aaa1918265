"""Passes of a model that is cut into stages: torch's schedules for training, forward passes in line for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from lauter.trainer.batch import Batch
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.axes import CONTEXT, PIPELINE, Axes
from lauter.trainer.parallel.context.split import part_of
from lauter.trainer.parallel.passes import Sums
from lauter.trainer.parallel.pipeline.forward import forward_only
from lauter.trainer.parallel.pipeline.placing import rank_of
from lauter.trainer.parallel.pipeline.port import Port
from lauter.trainer.parallel.pipeline.schedules import SPLITS, Schedule, schedule
from lauter.trainer.parallel.pipeline.stage import Stage

_IN_LINE = 4
# Micro-batches in line for each rank, where nothing is kept for a backward pass: ranks are idle for (ranks - 1) of
# (4 x ranks + ranks - 1) of them, a fifth at most.


class Pipelined:
    """Some of the layers on every rank: hidden states and their gradients travel from rank to rank."""

    def __init__(self, stages: Sequence[Stage], section: ParallelSection, axes: Axes, dtype: torch.dtype) -> None:
        """`stages` of this rank, ascending, as `plan.lay_out` has changed them; `dtype` is that of hidden states."""
        along = axes.along(PIPELINE)
        assert along is not None
        self._stages, self._section, self._device, self._dtype = stages, section, axes.ranks.device, dtype
        self._group = along.get_group()
        self._place, self._parts = axes.at(CONTEXT), axes.size(CONTEXT)
        self._last = section.pipeline * section.stages_per_rank - 1
        self._schedules: dict[tuple[int, int], Schedule] = {}

    def train(
        self, batches: Sequence[Batch], *, normaliser: float, z_loss: float, after_each: Callable[[], None]
    ) -> Sums:
        """As `Passes.train`; `after_each` is not called.

        Gradients are added up in fp32 by FSDP2 and reduced once, at the end: the whole gradient of this rank's stages
        is there for as long, as in Megatron-LM.

        Raises:
            ValueError: micro-batches of different lengths.
        """
        work = self._stages[0].work
        work.batches = [self._part(batch).to(self._device) for batch in batches]
        work.normaliser, work.z_loss = normaliser, z_loss
        work.nll = torch.zeros((), dtype=torch.float64, device=self._device)
        work.z = torch.zeros_like(work.nll)
        lengths = {self._places(batch) for batch in work.batches}
        if len(lengths) > 1:
            raise ValueError(f"micro-batches of a step must have one length in a pipeline, not {sorted(lengths)}")
        numbers = torch.arange(len(batches))
        self._schedule(len(batches), *lengths).step(number=numbers, target=numbers, return_outputs=False)
        work.batches = ()
        return Sums(work.nll, work.z)

    def token_losses(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_losses`: only the rank of the last stage gives any."""
        return self._forward(batches, "losses")

    def token_hits(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """As `Passes.token_hits`: only the rank of the last stage gives any."""
        return self._forward(batches, "hits")

    def _forward(self, batches: Iterator[Batch], measure: Literal["losses", "hits"]) -> Iterator[tuple[Batch, Tensor]]:
        work = self._stages[0].work
        work.measure = measure
        while group := [self._part(batch) for batch in islice(batches, _IN_LINE * self._section.pipeline)]:
            work.batches = [batch.to(self._device) for batch in group]
            shapes = [(self._places(batch), self._stages[0].hidden) for batch in group]
            try:
                found = forward_only(
                    self._stages,
                    shapes,
                    self._dtype,
                    self._device,
                    self._group,
                    lambda stage: rank_of(self._section, stage),
                )
            finally:
                work.batches = ()
                for stage in self._stages:
                    stage.let_go()
            yield from zip(group, found, strict=bool(found))

    def _part(self, batch: Batch) -> Batch:
        return part_of(batch, self._place, self._parts)

    def _places(self, batch: Batch) -> int:
        """How many of its tokens this rank has between two layers."""
        return len(batch.tokens) // (self._section.tensor if self._section.sequence else 1)

    def _schedule(self, micro_batches: int, places: int) -> Schedule:
        """Made at the first step of its kind: a batch size ramp changes the number of micro-batches."""
        key = micro_batches, places
        if key not in self._schedules:
            # A layer that is computed again in the backward pass would be so for the input and for every weight; one
            # that is compiled computes all gradients at once in any case.
            splits = self._section.recompute == "none" and not self._section.compile
            ports = [
                Port(
                    stage,
                    self._last + 1,
                    (places, stage.hidden),
                    self._dtype,
                    device=self._device,
                    group=self._group,
                    splits=splits and self._section.schedule in SPLITS,
                )
                for stage in self._stages
            ]
            self._schedules[key] = schedule(self._section, ports, micro_batches)
        return self._schedules[key]
