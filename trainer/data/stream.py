"""A stream: what a mixture weighs. Row groups of whole documents, in stored order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lauter.trainer.data.shard import RowGroup, Shard, read_lengths, read_row_group


@dataclass(frozen=True, slots=True)
class Stream:
    """Some shards of one stream of one corpus."""

    name: str
    """As a mixture names it."""
    stored_name: str
    """As its corpus names it: the order depends on it, and not on what the corpus is called here."""
    layout_id: str
    shards: tuple[Shard, ...]
    group_tokens: tuple[NDArray[np.int64], ...]
    """Tokens of each row group, an array for each shard."""
    languages: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """Tokens of an epoch."""
        return sum(shard.tokens for shard in self.shards)

    def part(self, first: int, end: int) -> Stream:
        """The stream of its shards [first, end) alone."""
        return Stream(
            self.name,
            self.stored_name,
            self.layout_id,
            self.shards[first:end],
            self.group_tokens[first:end],
            self.languages,
        )

    def row_groups(self) -> Sequence[tuple[Shard, int]]:
        """Each row group: its shard, and its number there."""
        return [(shard, number) for shard in self.shards for number in range(len(shard.row_groups))]

    def places(self) -> NDArray[np.int64]:
        """Tokens of each row group, shape (groups,)."""
        return np.concatenate([np.empty(0, np.int64), *self.group_tokens])

    def read(self, group: int) -> RowGroup:
        """Decode a row group; raises `DataError`."""
        shard, number = self._locate(group)
        return read_row_group(shard, number, self.languages)

    def lengths(self, group: int) -> NDArray[np.int64]:
        """Tokens of each document of a row group; raises `DataError`."""
        return read_lengths(*self._locate(group))

    def _locate(self, group: int) -> tuple[Shard, int]:
        for shard in self.shards:
            if group < len(shard.row_groups):
                return shard, group
            group -= len(shard.row_groups)
        raise IndexError(group)
