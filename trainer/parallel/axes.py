"""The ranks as a grid of five axes: who holds which part of the model, and who reads which part of the data."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.ranks import Ranks

PIPELINE, REPLICATE, SHARD, CONTEXT, TENSOR = "pipeline", "replicate", "shard", "context", "tensor"
AXES = (PIPELINE, REPLICATE, SHARD, CONTEXT, TENSOR)
"""Outermost first: what talks most stands innermost, among ranks of one node (Megatron-LM, arXiv 2104.04473, 3.3)."""

_SHARDED = "shard_context"
"""Of FSDP2: ranks of one context group hold other tokens of one batch, so weights may be split over them as well."""


@dataclass(frozen=True, slots=True)
class Axes:
    """This rank's place in the grid. One process has no grid, and every axis has the size 1."""

    ranks: Ranks
    mesh: DeviceMesh | None
    """All of `AXES`, also those of size 1."""
    fsdp: DeviceMesh | None
    """Over which FSDP2 lays the weights: (shard x context), or (replicate, shard x context) where copies are kept.

    There is one wherever there is a grid, be it of size 1: then all layouts keep fp32 masters and sum gradients alike.
    """

    def size(self, axis: str) -> int:
        """Ranks along one of `AXES`."""
        return 1 if self.mesh is None else self.mesh.size(AXES.index(axis))

    def at(self, axis: str) -> int:
        """This rank's place along it, from 0."""
        return 0 if self.mesh is None else self.mesh.get_local_rank(axis)

    def along(self, axis: str) -> DeviceMesh | None:
        """The ranks that differ from this one along one axis only; none where it has the size 1."""
        return None if self.mesh is None or self.size(axis) == 1 else self.mesh[axis]

    @property
    def data_rank(self) -> int:
        """Which share of each step's samples this rank reads: the same for the ranks that differ otherwise."""
        return self.at(REPLICATE) * self.size(SHARD) + self.at(SHARD)

    @property
    def data_ranks(self) -> int:
        """How many shares there are."""
        return self.size(REPLICATE) * self.size(SHARD)

    @property
    def counts_data(self) -> bool:
        """Whether this rank stands for all that read the same samples, so that each is counted once."""
        return self.at(PIPELINE) == self.at(CONTEXT) == self.at(TENSOR) == 0

    @property
    def counts_loss(self) -> bool:
        """Whether this rank's loss is counted: ranks of a tensor group all have the sum over the same tokens."""
        return self.at(TENSOR) == 0


def shape_of(count: int, section: ParallelSection) -> tuple[int, int, int, int, int]:
    """Sizes along `AXES` of a grid of so many ranks; `parallel.shard` takes what the other axes leave.

    Raises:
        ValueError: the sizes do not multiply to the number of ranks.
    """
    others = section.pipeline * section.replicate * section.context * section.tensor
    shard = section.shard or max(count // others, 1)
    if others * shard != count:
        sizes = {
            PIPELINE: section.pipeline,
            REPLICATE: section.replicate,
            SHARD: section.shard,
            CONTEXT: section.context,
            TENSOR: section.tensor,
        }
        asked = " x ".join(f"{name} {size}" for name, size in sizes.items() if size not in (None, 1)) or "shard 1"
        raise ValueError(
            f"parallel: {count} rank(s) can't be split into {asked}; start a multiple of "
            f"{others * (section.shard or 1)}, or change these sizes"
        )
    return (section.pipeline, section.replicate, shard, section.context, section.tensor)


def axes(ranks: Ranks, section: ParallelSection) -> Axes:
    """The grid that a config asks for.

    Raises:
        ValueError: the sizes do not multiply to the number of ranks.
    """
    shape = shape_of(ranks.count, section)
    if ranks.count == 1:
        return Axes(ranks, None, None)
    mesh = init_device_mesh(ranks.device.type, shape, mesh_dim_names=AXES)
    mesh[SHARD, CONTEXT]._flatten(_SHARDED)
    with warnings.catch_warnings():
        # torch 2.13 announces that a slice by a flattened name will go; what is to take its place can't name this pair.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        fsdp = mesh[REPLICATE, _SHARDED] if section.replicate > 1 else mesh[_SHARDED]
    return Axes(ranks, mesh, fsdp)
