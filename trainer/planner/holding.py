"""Which parameters a rank holds before FSDP2 splits them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.pipeline.cut import spans
from lauter.trainer.parallel.pipeline.placing import stages_of


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one place along the pipeline; every rank of its other axes holds as much."""

    layers: int
    layer_parameters: int
    """Of one layer, this rank's pieces of a tensor group."""
    down_parameters: int
    """Of the MLP's second matrix, the largest of a layer with the first."""
    embedding: int
    """Parameters of the input embedding; 0 on other stages."""
    head: int
    """Parameters of the output layer; 0 on other stages."""
    norm: int
    """Of the last norm, which stands beside the output layer."""

    @property
    def roots(self) -> int:
        """What lies outside of the layers: FSDP2 gathers it as one."""
        return self.embedding + self.head + self.norm

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.layers * self.layer_parameters + self.roots


def holding(shape: ModelShape, section: ParallelSection, place: int) -> Holding:
    """What place `place` of the pipeline holds, as `parallel.tensor.pieces` and `parallel.pipeline.cut` say.

    Raises:
        ValueError: there are more stages than layers.
    """
    ranks = section.tensor
    stages = section.pipeline * section.stages_per_rank
    own = stages_of(section, place) if section.pipeline > 1 else [0]
    cut = _cut(shape, stages if section.pipeline > 1 else 1)
    queries = shape.hidden * shape.heads * shape.head_dim // ranks
    keys = shape.hidden * shape.kv_heads * shape.head_dim // (ranks if shape.kv_heads >= ranks else 1)
    wide = shape.hidden * shape.feed_forward // ranks
    ids = shape.vocabulary * shape.hidden // (ranks if section.vocabulary else 1)
    last = len(cut) - 1
    return Holding(
        layers=sum(len(cut[stage]) for stage in own),
        layer_parameters=2 * (queries + keys + wide) + 2 * shape.hidden + 2 * shape.head_dim + 2,
        down_parameters=wide,
        embedding=ids if 0 in own else 0,
        head=ids if last in own else 0,
        norm=shape.hidden if last in own else 0,
    )


@cache
def _cut(shape: ModelShape, stages: int) -> list[range]:
    """`spans`, which looks at thousands of cuts: 14 ms for 80 layers, and a plan asks hundreds of times."""
    return spans(shape, stages)
