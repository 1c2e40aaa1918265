"""The weights that a tune begins with: of any checkpoint, without moments, whatever it was trained with.

Low-rank parts of the checkpoint are merged into the weights that they stand beside; a new run's own begin as nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import WEIGHT, Checkpoint, low_rank_parts
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.low_rank import is_low_rank
from lauter.trainer.optimizer.optimizer import Optimizer


@torch.no_grad()
def fill_weights(checkpoint: Checkpoint, model: Apertus, optimizer: Optimizer) -> None:
    """Fill this rank's weights and masters, after `state.begin`; each rank reads what it holds and waits for no other.

    Weights that have no master, as frozen ones, are rounded to nearest where they are narrower than what was saved.

    Raises:
        CheckpointError: a weight is missing or of another size, or can't be read.
    """
    saved = SavedTensors(checkpoint.path)
    state = optimizer.state()
    wanted = {
        name: state.get(f"master.{name}", parameter.detach())
        for name, parameter in model.named_parameters()
        if not is_low_rank(name)
    }
    for name, target in wanted.items():
        entry = saved.index.get(WEIGHT + name)
        if entry is None or entry.size != target.shape:
            there = "is not there" if entry is None else f"is {tuple(entry.size)} there and {tuple(target.shape)} here"
            raise CheckpointError(f"checkpoint {checkpoint.path} does not fit: weight {name} {there}")
    exact = {name: target for name, target in wanted.items() if _holds(target, saved.index[WEIGHT + name])}
    saved.fill({WEIGHT + name: target for name, target in exact.items()})
    merged = low_rank_parts(checkpoint, saved)
    for name, target in wanted.items():
        if name in exact and name not in merged:
            continue
        wide = target
        if name not in exact:
            # One at a time: a copy of all weights in fp32 would be twice what is kept.
            wide = torch.empty_like(target, dtype=saved.index[WEIGHT + name].properties.dtype)
            saved.fill({WEIGHT + name: wide})
        if name in merged:
            wide.add_(_laid_out(merged[name].product(), target))
        if wide is not target:
            target.copy_(wide)
    optimizer.write_weights()


def _holds(target: Tensor, entry: Any) -> bool:  # noqa: ANN401 - torch's metadata
    return torch.promote_types(entry.properties.dtype, target.dtype) == target.dtype


def _laid_out(whole: Tensor, like: Tensor) -> Tensor:
    if not isinstance(like, DTensor):
        return whole.to(like.device)
    # Every rank has the whole: no message.
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
