"""Do a checkpoint's tensors fit the ones that are to be filled? Asked before any of them is changed."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from lauter.trainer.checkpoint.error import CheckpointError


def require_fit(
    path: Path, index: Mapping[str, TensorStorageMetadata], tensors: Mapping[str, Tensor], names: Set[str]
) -> None:
    """Compare `tensors`, those of this rank, and `names`, those of all ranks, with what a checkpoint has.

    Raises `CheckpointError` where tensors cannot be filled from the checkpoint at `path` without a loss.

    Of each kind that is asked for, names must be the same on both sides, sizes equal, and the saved dtype must fit
    into the asked one exactly (fp32 into fp64, not fp32 into bf16).
    """
    kinds = {key.partition(".")[0] for key in names}
    absent = sorted(key for key in tensors if key not in index)
    unasked = sorted(key for key in index if key.partition(".")[0] in kinds and key not in names)
    faults = []
    if absent:
        faults.append(f"it has no {_some(absent)}")
    if unasked:
        faults.append(f"it has {_some(unasked)}, which this model has not")
    for key in sorted(tensors.keys() & index.keys()):
        size, dtype = tuple(index[key].size), index[key].properties.dtype
        if size != tuple(tensors[key].shape):
            faults.append(f"{key} is {size} there and {tuple(tensors[key].shape)} here")
        elif torch.promote_types(dtype, tensors[key].dtype) != tensors[key].dtype:
            faults.append(f"{key} is {dtype} there, which {tensors[key].dtype} does not hold exactly")
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(
            f"checkpoint {path} does not fit: {'; '.join(faults[:3])}{more}. Train with the model and the "
            "optimizer that it was saved with, or start from its weights only"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
