"""Ranks as a grid: which of them hold copies of the model, and which share one."""

from __future__ import annotations

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from lauter.trainer.config.sections import ParallelSection
from lauter.trainer.parallel.ranks import Ranks

REPLICATE, SHARD = "replicate", "shard"
"""Axes, outermost first: ranks that are near each other (one node) share a model."""


def mesh(ranks: Ranks, section: ParallelSection) -> DeviceMesh | None:
    """The grid of ranks; none for one process. FSDP2 takes two axes as HSDP, one as full sharding.

    Raises:
        ValueError: the ranks can't be split into `parallel.replicate` groups.
    """
    if ranks.count % section.replicate:
        raise ValueError(
            f"parallel.replicate: {ranks.count} rank(s) can't be split into {section.replicate} equal groups"
        )
    if ranks.count == 1:
        return None
    if section.replicate == 1:
        return init_device_mesh(ranks.device.type, (ranks.count,), mesh_dim_names=(SHARD,))
    return init_device_mesh(
        ranks.device.type, (section.replicate, ranks.count // section.replicate), mesh_dim_names=(REPLICATE, SHARD)
    )
