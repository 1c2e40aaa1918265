"""Forward passes without backward ones, for losses of held-out text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.parallel.pipeline.stage import Stage


def forward_only(
    stages: Sequence[Stage],
    shapes: Sequence[tuple[int, int]],
    dtype: torch.dtype,
    device: torch.device,
    group: dist.ProcessGroup,
    rank_of: Callable[[int], int],
) -> list[Tensor]:
    """Every micro-batch through this rank's stages, one stage after the other; what the last stage gives for each.

    Called by all ranks of a pipeline, with hidden states of as many micro-batches and of the same `shapes`. Ranks
    without the last stage get an empty list. Any number of micro-batches goes through, which torch's schedules don't
    allow.
    """
    found: list[Tensor] = []
    here = group.rank()
    under_way: list[_Send] = []
    kept: dict[int, Tensor] = {}
    with torch.no_grad():
        for stage in stages:
            source, goal = rank_of(stage.index - 1), rank_of(stage.index + 1)
            sends: list[_Send] = []
            later: list[Tensor] = []
            for number, shape in enumerate(shapes):
                arrived: tuple[Tensor, ...] = ()
                if not stage.first and source == here:
                    arrived = (kept.pop(number),)
                elif not stage.first:
                    state = torch.empty(shape, dtype=dtype, device=device)
                    dist.recv(state, group=group, group_src=source)
                    arrived = (state,)
                given = stage(*arrived, number=torch.tensor([number]))
                if stage.last:
                    found.append(given)
                elif goal == here:
                    kept[number] = given
                elif goal < here and group.size() == 2:
                    later.append(given)
                else:
                    sends.append(_Send(given, goal, group))
            # Of two ranks that send to each other in turn one must receive all first: with NCCL a message lasts until
            # it is received, and the next one waits for it.
            sends += [_Send(given, goal, group) for given in later]
            # Only those of the stage before: hidden states of two stages are there at most.
            for send in under_way:
                send.wait()
            under_way = sends
    for send in under_way:
        send.wait()
    return found


class _Send:
    """A message under way, whose memory must last until it has arrived."""

    def __init__(self, state: Tensor, goal: int, group: dist.ProcessGroup) -> None:
        self._state = state
        self._work = dist.isend(state, group=group, group_dst=goal)

    def wait(self) -> None:
        """Until it has."""
        if self._work is not None:
            self._work.wait()
