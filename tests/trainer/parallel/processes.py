"""Runs a function in several processes that form a group, on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.multiprocessing

from lauter.trainer.parallel.ranks import Ranks, join, leave


def spawn(function: Callable[[Ranks, Path], None], count: int, folder: Path) -> None:
    """`function(ranks, folder)` on each; it must lie in a module. Raises what the first of them raises."""
    torch.multiprocessing.start_processes(_enter, (function, count, folder), nprocs=count, start_method="spawn")


def _enter(rank: int, function: Callable[[Ranks, Path], None], count: int, folder: Path) -> None:
    torch.set_num_threads(1)
    ranks = group(rank, count, folder)
    function(ranks, folder)
    leave(ranks)


def group(rank: int, count: int, folder: Path) -> Ranks:
    """Join a group whose members meet at a file, so that no port is needed."""
    return join(rank, count, torch.device("cpu"), f"file://{folder}/group-of-{count}")
