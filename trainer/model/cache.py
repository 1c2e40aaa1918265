"""Keys and values of what a model has read, for generation: a batch of sequences, each with its own length."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from lauter.trainer.attention.attention import attention
from lauter.trainer.batch import Bounds
from lauter.trainer.model.shape import ModelShape


class KeyValueCache:
    """Room for `sequences` sequences of at most `capacity` tokens each.

    Every call of the model with a cache goes on with all sequences: the packed tokens hold one document a sequence, in
    order, and document b holds the next tokens of sequence b. The first call brings the prompts, the later ones one
    token each; several at once work too. `positions` gives the places that go with a call. `keep` drops sequences
    that have ended, `admit` lets a new one into the room of such a one. Buffers take 2 x layers x sequences x capacity
    x kv_heads x head_dim elements and are never moved.

    >>> shape = ModelShape(1, 8, 8, 2, 1, 4, 16, 32)
    >>> KeyValueCache(shape, 2, 8).positions(Bounds.of([3, 2])).tolist()
    [0, 1, 2, 0, 1]
    """

    def __init__(
        self,
        shape: ModelShape,
        sequences: int,
        capacity: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        size = (sequences, capacity, shape.kv_heads, shape.head_dim)
        self.capacity = capacity
        self.lengths = [0] * sequences
        """Tokens that each sequence holds."""
        self._rooms = sequences
        self._rows = list(range(sequences))
        """Row of the buffers in which each sequence lies."""
        self.layers = [
            LayerCache(torch.empty(size, device=device, dtype=dtype), torch.empty(size, device=device, dtype=dtype))
            for _ in range(shape.layers)
        ]

    def positions(self, bounds: Bounds) -> Tensor:
        """Places of the next tokens of every sequence: shape (T,), int32, on the device of `bounds`."""
        places = [
            torch.arange(length, length + count, dtype=torch.int32)
            for length, count in zip(self.lengths, self._counts(bounds), strict=True)
        ]
        return torch.cat(places).to(bounds.cu_seqlens.device)

    def begin(self, bounds: Bounds) -> None:
        """Make every layer ready for a call with these documents; `ValueError` where a sequence has no room left."""
        counts = self._counts(bounds)
        for row, (length, count) in enumerate(zip(self.lengths, counts, strict=True)):
            if length + count > self.capacity:
                raise ValueError(
                    f"sequence {row} would have {length + count} tokens, the cache has room for {self.capacity}: "
                    "give KeyValueCache the length of the longest prompt plus the new tokens"
                )
        for layer in self.layers:
            layer.lengths, layer.counts, layer.rows = self.lengths, counts, self._rows

    def end(self) -> None:
        """After the last layer: the call's tokens count as held."""
        self.lengths = [length + count for length, count in zip(self.lengths, self.layers[0].counts, strict=True)]

    def keep(self, rows: list[int]) -> None:
        """Hold only these sequences from now on, in this order."""
        self.lengths = [self.lengths[row] for row in rows]
        self._rows = [self._rows[row] for row in rows]

    def admit(self) -> None:
        """A new sequence without tokens, after the others; `ValueError` where all rooms are taken."""
        free = [row for row in range(self._rooms) if row not in self._rows]
        if not free:
            raise ValueError(f"all {self._rooms} sequences are under way: one must end first")
        self.lengths = [*self.lengths, 0]
        self._rows = [*self._rows, free[0]]

    def _counts(self, bounds: Bounds) -> list[int]:
        ends = bounds.cu_seqlens.tolist()
        if len(ends) - 1 != len(self.lengths):
            raise ValueError(f"{len(ends) - 1} documents for a cache of {len(self.lengths)} sequences: give one each")
        return [end - start for start, end in pairwise(ends)]


class LayerCache:
    """One layer's keys and values, each of shape (sequences, capacity, kv_heads, head_dim)."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys = keys
        self.values = values
        self.lengths: list[int] = []
        """Tokens of each sequence before the call that is under way."""
        self.counts: list[int] = []
        """Tokens of each sequence in the call."""
        self.rows: list[int] = []
        """Row of the buffers of each sequence."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bounds: Bounds) -> Tensor:
        """Store the call's keys and values; every query sees those of its sequence up to its own place.

        q (T, heads, head_dim), k and v (T, kv_heads, head_dim); returns (T, heads, head_dim). A sequence at a time and
        no padding: its result does not depend on who else is in the batch.
        """
        begun = any(self.lengths)
        seen, start = [], 0
        for row, length, count in zip(self.rows, self.lengths, self.counts, strict=True):
            stop, end = start + count, length + count
            self.keys[row, length:end] = k[start:stop]
            self.values[row, length:end] = v[start:stop]
            if begun:
                mask = None
                if count > 1:
                    mask = torch.ones(count, end, dtype=torch.bool, device=q.device).tril(length)
                query, keys, values = (
                    x.transpose(0, 1)[None] for x in (q[start:stop], self.keys[row, :end], self.values[row, :end])
                )
                out = scaled_dot_product_attention(query, keys, values, attn_mask=mask, enable_gqa=True)
                seen.append(out[0].transpose(0, 1))
            start = stop
        return torch.cat(seen) if begun else attention(q, k, v, bounds)
