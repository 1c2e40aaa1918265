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
    sends: list[tuple[dist.Work | None, Tensor]] = []
    kept: dict[int, Tensor] = {}
    with torch.no_grad():
        for stage in stages:
            source, goal = rank_of(stage.index - 1), rank_of(stage.index + 1)
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
                    sends.append((dist.isend(given, group=group, group_dst=goal), given))
            # Of two ranks that send to each other in turn one must receive all first: with NCCL a message lasts until
            # it is received, and the next one waits for it.
            sends += [(dist.isend(given, group=group, group_dst=goal), given) for given in later]
    for work, _ in sends:
        if work is not None:
            work.wait()
    return found
