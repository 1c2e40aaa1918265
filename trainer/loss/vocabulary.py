"""A softmax whose ids are shared by several ranks: each holds the logits of some ids, for the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Share:
    """Which ids are this rank's: `count` from `first` on, of `ids` in all."""

    first: int
    count: int
    ids: int
    group: dist.ProcessGroup
    """The ranks that have all ids together; all are given the same labels, in the same order."""

    def here(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Places of those `ids`, shape (n,), that are this rank's, and their number within its share; both int64."""
        places = ((ids >= self.first) & (ids < self.first + self.count)).nonzero()[:, 0]
        return places, ids[places] - self.first

    def combined(self, lse: Tensor, at_labels: Tensor) -> tuple[Tensor, Tensor]:
        """From this rank's logsumexps and logits of labels (0 where another has them), both (rows,) fp64, those of all.

        One exchange of 16 bytes a row and rank. Every rank adds the same numbers in the same order: the results are the
        same to the bit.
        """
        mine = torch.stack((lse, at_labels))
        every = mine.new_empty(dist.get_world_size(self.group), *mine.shape)
        dist.all_gather_single(every.flatten(0, 1), mine, group=self.group)
        return every[:, 0].logsumexp(0), every[:, 1].sum(0)

    def likeliest(self, ids: Tensor, tops: Tensor) -> Tensor:
        """From this rank's likeliest ids, numbered within its share, and their logits, both (rows,), those of all.

        Of equal logits the lowest id's counts. One exchange of 16 bytes a row and rank.
        """
        mine = torch.stack((tops.double(), (ids + self.first).double()))
        every = mine.new_empty(dist.get_world_size(self.group), *mine.shape)
        dist.all_gather_single(every.flatten(0, 1), mine, group=self.group)
        # Shares follow the ranks in order, and argmax names the first of equals.
        return every[:, 1].gather(0, every[:, 0].argmax(0)[None])[0].long()
