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
    part: Part | None = None
    """Which of the T tokens are here, where ranks share them (context parallel)."""

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
        part = None if self.part is None else self.part.to(device)
        return Bounds(self.cu_seqlens.to(device, non_blocking=True), self.longest, part)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A document that began before a run of a rank's tokens: what those of its tokens see that lies before the run."""

    queries: slice
    """The document's places in the run, among the rank's tokens."""
    keys: slice
    """From the document's start to the run's, among all T tokens."""


@dataclass(frozen=True, slots=True)
class Part:
    """One rank's tokens of a packed sequence that several share: equal numbers, in runs that lie apart."""

    own: Bounds
    """Of this rank's tokens alone: a document ends where a run of tokens does, and goes on as one of its own."""
    earlier: tuple[Earlier, ...]
    """What `own` leaves out: at most one for each run."""
    crossing: bool
    """Whether any rank has something in `earlier`; the same on all ranks."""

    def to(self, device: torch.device) -> Part:
        """The same on another device."""
        return Part(self.own.to(device), self.earlier, self.crossing)


@dataclass(frozen=True, slots=True)
class Completions:
    """The n completions of a micro-batch, each with the prompt that it answers: what preference objectives ask for.

    They come in pairs to one prompt, 2 k and 2 k + 1, the one with the higher reward first. Tensors stay on the host.
    """

    of: Tensor
    """Which completion the label at each place belongs to, -1 where there is no label; shape (T,), dtype int64."""
    rewards: Tensor
    """Quantile reward of each, from 0 to 1; shape (n,), dtype fp64."""
    reference: Tensor
    """Log-probability of each given its prompt, under the reference model, in nats; shape (n,), dtype fp64."""
    lengths: Tensor
    """Tokens of each, its end included; shape (n,), dtype int64. None is cut: all lie in this micro-batch."""


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
    weights: Tensor | None = None
    """What each label's loss and gradient is multiplied with, shape (T,), of a float dtype; None: 1 each."""
    completions: Completions | None = None
    """Which labels belong together, where a preference is learnt; None in all other data."""

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
            None if self.weights is None else self.weights.to(device, non_blocking=True),
            self.completions,
        )
