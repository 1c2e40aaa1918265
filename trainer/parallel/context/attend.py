"""The attention of a model whose tokens are shared by ranks."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.attention.attention import Attend, attention
from lauter.trainer.batch import Bounds
from lauter.trainer.parallel.context.all_gather import all_gather_attention
from lauter.trainer.parallel.context.ring import ring_attention
from lauter.trainer.parallel.context.ulysses import ulysses_attention


def context_attention(kind: Literal["all-gather", "ulysses", "ring"], group: dist.ProcessGroup) -> Attend:
    """As `attention.attention`, for the part of the tokens that `split.part_of` left to this rank.

    Nothing is sent where no document lies on several ranks, and where bounds have no part: every rank of the group then
    has all of the tokens, as when it generates.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor, bounds: Bounds) -> Tensor:
        part = bounds.part
        if part is None:
            return attention(q, k, v, bounds)
        if not part.crossing:
            return attention(q, k, v, part.own)
        if kind == "ulysses":
            return ulysses_attention(q, k, v, bounds, group)
        over_ranks = ring_attention if kind == "ring" else all_gather_attention
        return over_ranks(q, k, v, part, group)

    # Communication is no part of a compiled program: a layer becomes one before it and one behind it.
    apart: Attend = torch.compiler.disable(attend)
    return apart
