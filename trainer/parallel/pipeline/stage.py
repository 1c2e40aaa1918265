"""A stage of a pipeline: some layers, with the embedding before the first and the loss behind the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from lauter.trainer.batch import Batch
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.rope import cos_sin
from lauter.trainer.parallel.pipeline.cut import spans
from lauter.trainer.parallel.pipeline.placing import require_stages, stages_of


@dataclass(slots=True)
class Work:
    """What the stages of a rank have in hand, and what the last one finds: all stages of a rank share one."""

    batches: Sequence[Batch] = ()
    """The micro-batches, this rank's part of each: every rank of a pipeline reads the same, so that tokens, positions,
    labels and bounds need not travel with the hidden states (torchtitan#3856)."""
    measure: Literal["losses", "hits"] = "losses"
    """What the last stage gives without gradients."""
    normaliser: float = 1.0
    z_loss: float = 0.0
    nll: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    z: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))


class Stage(nn.Module):
    """Modules of an `Apertus`, which stay its own as well: there they keep the names that go into checkpoints."""

    def __init__(self, model: Apertus, index: int, span: range, work: Work) -> None:
        super().__init__()
        decoder = model.model
        self.index = index
        self.first, self.last = span.start == 0, span.stop == model.shape.layers
        self.hidden = model.shape.hidden
        self.embed_tokens = decoder.embed_tokens if self.first else None
        self.layers = nn.ModuleList(decoder.layers[number] for number in span)
        self.norm = decoder.norm if self.last else None
        self.lm_head = model.lm_head if self.last else None
        self.frequencies = decoder.frequencies
        self.work = work

    def forward(self, *arrived: Tensor, number: Tensor) -> Tensor:
        """Micro-batch `number`, shape (1,), one step further.

        The first stage begins with its tokens; to the others the hidden states of the stage before have `arrived`,
        shape (T, hidden), where T is what this rank has between two layers. The last one gives the micro-batch's share
        of the loss, a scalar; without gradients the losses of its places, shape (T,), fp32, or whether each label is
        the likeliest id, bool.
        """
        batch = self.work.batches[int(number)]
        (x,) = arrived if self.embed_tokens is None else (self.embed_tokens(batch.tokens),)
        turns = cos_sin(batch.positions, self.frequencies, x.dtype)
        for layer in self.layers:
            x = layer(x, turns, batch.bounds, None)
        if self.norm is None or self.lm_head is None:
            return cast(Tensor, x)
        return self._finish(self.norm(x), batch)

    def _finish(self, hidden: Tensor, batch: Batch) -> Tensor:
        assert self.lm_head is not None
        if not torch.is_grad_enabled():
            found = self.lm_head.token_losses if self.work.measure == "losses" else self.lm_head.token_hits
            return found(hidden, batch.labels)
        work = self.work
        terms = self.lm_head.loss(
            hidden, batch.labels, normaliser=work.normaliser, z_loss=work.z_loss, weights=batch.weights
        )
        work.nll += terms.nll
        work.z += terms.z
        return terms.total

    def let_go(self) -> None:
        """After passes without a backward one: back to shards."""
        for module in self.modules():
            if isinstance(module, FSDPModule):
                module.reshard()


def cut(model: Apertus, section: ParallelSection, rank: int) -> list[Stage]:
    """Leave of a model what the stages of one rank of the pipeline hold, in place; these stages, ascending.

    The rest becomes None: layers keep their numbers, and with them the names of their parameters.

    Raises:
        ValueError: more stages than layers, or the schedule is for another number of stages a rank.
    """
    require_stages(section, model.shape)
    by_stage = spans(model.shape, section.pipeline * section.stages_per_rank)
    indices = stages_of(section, rank)
    work = Work()
    found = [Stage(model, index, by_stage[index], work) for index in indices]
    kept = {number for index in indices for number in by_stage[index]}
    for number in set(range(model.shape.layers)) - kept:
        model.model.layers[number] = None  # type: ignore[assignment]
    if not any(stage.first for stage in found):
        model.model.embed_tokens = None  # type: ignore[assignment]
    if not any(stage.last for stage in found):
        model.model.norm = model.lm_head = None  # type: ignore[assignment]
    return found
