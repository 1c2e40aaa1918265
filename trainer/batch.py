"""What the data hands to the model: packed tokens, where their documents end, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = -100
"""Label of a position that carries no loss, as in torch's `cross_entropy`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the documents of a packed sequence of T tokens begin and end.

    `cu_seqlens` has shape (documents + 1,), dtype int32: 0 first, T last, strictly ascending. `longest` is the longest
    document in tokens, a number on the host, so that a kernel on a GPU need not be asked for it.
    """

    cu_seqlens: Tensor
    longest: int

    @staticmethod
    def of(lengths: list[int]) -> Bounds:
        """From the documents' lengths in tokens, at least one.

        Raises:
            ValueError: no document, or one of no token.

        >>> Bounds.of([3, 2]).cu_seqlens.tolist()
        [0, 3, 5]
        """
        if not lengths or min(lengths) < 1:
            raise ValueError(f"documents must have at least one token each, and be at least one: {lengths[:8]}")
        return Bounds(torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32), max(lengths))

    def to(self, device: torch.device) -> Bounds:
        """The same on another device."""
        return Bounds(self.cu_seqlens.to(device, non_blocking=True), self.longest)


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch of one rank: its windows one after the other, T = windows x sequence length.

    A window's end ends its last document: no token sees another window.
    """

    tokens: Tensor
    """Ids, shape (T,), dtype int64."""
    labels: Tensor
    """The id to predict at each place, or `IGNORE`; shape (T,), dtype int64. Never an id of another document."""
    positions: Tensor
    """Place within the document's part in this window, from 0; shape (T,), dtype int32."""
    bounds: Bounds
    languages: Tensor
    """Index of the document's language in `Corpus.languages`, -1 unknown; shape (T,), dtype int16."""
    targets: int
    """Labels that carry loss: those that are not `IGNORE`."""
    goldfish_dropped: int
    """Labels that only Goldfish took out."""

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(
            self.tokens.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.positions.to(device, non_blocking=True),
            self.bounds.to(device),
            self.languages,
            self.targets,
            self.goldfish_dropped,
        )
