"""Room on the disk, looked at before a save: better than a full disk in the middle of it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate

from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.held import key_of
from lauter.trainer.checkpoint.inventory import read_inventory, total_size
from lauter.trainer.checkpoint.layout import step_folders

OVERHEAD_BYTES_PER_PIECE = 2048
"""torch's zip container and DCP's index take 1.8 kB for a tensor's part on one rank (measured with torch 2.13)."""


def needed_bytes(tensors: Mapping[str, Tensor], agreement: Agreement) -> int:
    """Size of a checkpoint of the tensors of all ranks, who call this together: full ones, each of them once."""
    mine = sum(
        tensor.numel() * tensor.itemsize + OVERHEAD_BYTES_PER_PIECE * _pieces(tensor) for tensor in tensors.values()
    )
    return sum(dict(agreement.gather((key_of(sorted(tensors)), mine))).values())


def _pieces(tensor: Tensor) -> int:
    """Into how many parts the ranks share a tensor: of copies, one is written."""
    if not isinstance(tensor, DTensor):
        return 1
    mesh = tensor.device_mesh
    shared = [mesh.size(dim) for dim, one in enumerate(tensor.placements) if not isinstance(one, Replicate)]
    return math.prod(shared)


def free_bytes(folder: Path) -> int:
    """What this user may still write on the folder's disk."""
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, free: int) -> None:
    """Raises `CheckpointError` that says how much is missing and which checkpoints could be deleted."""
    if needed <= free:
        return
    raise CheckpointError(
        f"no room for a checkpoint in {folder}: it takes {_bytes(needed)}, {_bytes(free)} are free, "
        f"{_bytes(needed - free)} are missing. {_way_out(folder)}"
    )


def _way_out(folder: Path) -> str:
    """The newest checkpoint is never proposed: without it the run could not go on."""
    old = [f"{path.name} ({_size(path)})" for path in step_folders(folder)[:-1]]
    if not old:
        return "Free some space, or start again with --out on another disk"
    return f"Delete an old checkpoint ({', '.join(old)}), lower `checkpoint.keep`, or free space elsewhere"


def _size(path: Path) -> str:
    try:
        return _bytes(total_size(read_inventory(path).values()))
    except CheckpointError:
        return "broken"


def _bytes(count: int) -> str:
    """As people read it, in powers of ten.

    >>> _bytes(999), _bytes(1_500_000), _bytes(1_270_000_000_000)
    ('999 bytes', '1.5 MB', '1.27 TB')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
