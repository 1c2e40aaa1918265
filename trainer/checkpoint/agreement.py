"""What ranks must agree on around a save or a load: if one fails, all of them say so, and none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch.distributed as dist

from lauter.trainer.checkpoint.error import CheckpointError, explain

T = TypeVar("T")


class Agreement:
    """The processes of a run, with a gloo group of their own where there are several.

    Of their own, because a save in the background talks while training does: two threads in one group would take each
    other's messages. gloo, because it is done on CPUs.
    """

    def __init__(self, rank: int, ranks: int) -> None:
        """Called by all ranks; needs `init_process_group` before where there are several."""
        self.rank = rank
        self.ranks = ranks
        self.group: dist.ProcessGroup | None = None
        if ranks > 1:
            self.group = cast(dist.ProcessGroup, dist.new_group(backend="gloo"))

    def gather(self, value: T) -> list[T]:
        """Everyone's value, in the order of ranks; called by all ranks."""
        if self.group is None:
            return [value]
        values: list[T | None] = [None] * self.ranks
        dist.all_gather_object(values, value, group=self.group)
        return cast(list[T], values)

    def told_by(self, rank: int, value: T) -> T:
        """One rank's value; called by all ranks. What is long is sent once; `gather` would send it for each rank."""
        if self.group is None:
            return value
        box: list[T | None] = [value if self.rank == rank else None]
        dist.broadcast_object_list(box, group=self.group, group_src=rank)
        return cast(T, box[0])

    def here(self, act: Callable[[], T]) -> T:
        """Do something on every rank; this rank's result. Raises `CheckpointError` on all ranks where one failed."""
        failure: Exception | None = None
        result: T | None = None
        try:
            result = act()
        except Exception as error:
            failure = error
        outcomes = self.gather(_words(failure))
        if failure is not None and not isinstance(failure, OSError):
            raise failure
        said = [(rank, words) for rank, words in enumerate(outcomes) if words is not None]
        if said:
            rank, words = said[0]
            raise CheckpointError(words if self.ranks == 1 else f"rank {rank}: {words}") from failure
        return cast(T, result)

    def every(self, act: Callable[[], T]) -> list[T]:
        """As `here`, with everyone's result, in the order of ranks."""
        return self.gather(self.here(act))

    def first(self, act: Callable[[], T]) -> T:
        """Do something on rank 0 only; its result on all ranks. Raises `CheckpointError` on all where it failed."""
        return cast(T, self.every(act if self.rank == 0 else lambda: None)[0])


def _words(failure: Exception | None) -> str | None:
    if failure is None:
        return None
    return explain(failure) if isinstance(failure, OSError) else str(failure)
