"""The processes of a run: who this one is, what it computes on, and the few numbers that all agree about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all. One process has no process group, and every sum is the number itself."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one speaks and writes for all."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Element by element over all ranks, in fp64 on the host: the same bits on every rank."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def max(self, values: Sequence[float]) -> list[float]:
        """As `sum`, the largest."""
        return self._reduced(values, dist.ReduceOp.MAX)

    def first_says(self, value: float) -> float:
        """The first rank's, on all: of a number that all found, but that may differ between them by rounding."""
        if self.count == 1:
            return value
        said = torch.tensor(value, dtype=torch.float64, device="cpu")
        dist.broadcast(said, src=0)
        return float(said)

    def barrier(self) -> None:
        """Wait for all."""
        self.sum([0.0])

    def _reduced(self, values: Sequence[float], operation: dist.ReduceOp.RedOpType) -> list[float]:
        if self.count == 1:
            return list(values)
        # On the host, through gloo: a stream of a GPU is never waited for.
        together = torch.tensor(values, dtype=torch.float64, device="cpu")
        dist.all_reduce(together, operation)
        found: list[float] = together.tolist()
        return found


def start() -> Ranks:
    """Join the processes that torchrun started (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`); alone where it did not.

    Raises:
        ValueError: a part of torchrun's environment is missing.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks(0, 1, _device(0))
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ValueError(f"WORLD_SIZE is {count}, but {', '.join(missing)} is not set; start with torchrun")
    return join(int(os.environ["RANK"]), count, _device(int(os.environ["LOCAL_RANK"])), "env://")


def join(rank: int, count: int, device: torch.device, where: str) -> Ranks:
    """Join a process group at `where` (torch's `init_method`)."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # gloo for the host in any case: counts, signals and asynchronous checkpoints go over it.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=where, rank=rank, world_size=count)
    return Ranks(rank, count, device)


def leave(ranks: Ranks) -> None:
    """Leave the process group."""
    if ranks.count > 1:
        # Without it a rank that is first to leave took another down (SIGABRT, once in some dozens of runs).
        ranks.barrier()
        dist.destroy_process_group()


def _device(local: int) -> torch.device:
    return torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
