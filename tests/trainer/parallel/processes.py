"""Runs a function in several processes that form a group, on this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch.multiprocessing.spawn import start_processes

from lauter.trainer.parallel.ranks import Ranks, join, leave

PRELOADED = "tests.trainer.parallel.cases"
"""Imports what all of them need."""


def spawn(functions: Mapping[int, Callable[[Ranks, Path], None]], folder: Path) -> None:
    """Each of `functions` on as many processes as its key says, one after the other; the largest number comes first.

    The processes are the same ones. A function must lie in a module. Raises what the first failing process raises.
    """
    start(max(functions), _enter, functions, folder)


def start(count: int, function: Callable[..., None], *arguments: object) -> None:
    """`function(rank, *arguments)` in so many processes without a group; errors as in `spawn`.

    They see the environment that the first of all had, not what a test has set since.
    """
    # Forks of one process that has imported everything and runs nothing: to import takes 5 CPU seconds a process, and
    # all files together start some thirty.
    multiprocessing.set_forkserver_preload([PRELOADED])
    start_processes(function, arguments, nprocs=count, start_method="forkserver")


def _enter(rank: int, functions: Mapping[int, Callable[[Ranks, Path], None]], folder: Path) -> None:
    torch.set_num_threads(1)
    for count, function in functions.items():
        if rank < count:
            # Members meet at a file: no port is needed.
            ranks = join(rank, count, torch.device("cpu"), f"file://{folder}/group-of-{count}")
            function(ranks, folder)
            leave(ranks)
