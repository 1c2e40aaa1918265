"""A stream: what a mixture weighs. Row groups of whole documents, in stored order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    copies: int = 1
    """The least number of documents that one of its documents stands for, where the corpus parts streams by it."""
    group_windows: tuple[NDArray[np.int64], ...] | None = None
    """Best-fit windows of each row group, an array for each shard, where they are stored."""
    _ends: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    """Row groups of all shards up to and with each one: 10^12 tokens have 15,000 shards, and any row group is next."""

    def __post_init__(self) -> None:
        """Count the row groups."""
        object.__setattr__(self, "_ends", np.cumsum([len(shard.row_groups) for shard in self.shards], dtype=np.int64))

    @property
    def tokens(self) -> int:
        """Tokens of an epoch."""
        return sum(shard.tokens for shard in self.shards)

    def without_last(self, count: int) -> Stream:
        """The stream without its last shards."""
        return self._part(0, max(len(self.shards) - count, 0))

    def last(self, count: int) -> Stream:
        """The stream of its last shards alone."""
        return self._part(max(len(self.shards) - count, 0), len(self.shards))

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

    def _part(self, first: int, end: int) -> Stream:
        windows = None if self.group_windows is None else self.group_windows[first:end]
        return replace(
            self,
            shards=self.shards[first:end],
            group_tokens=self.group_tokens[first:end],
            group_windows=windows,
        )

    def _locate(self, group: int) -> tuple[Shard, int]:
        number = int(np.searchsorted(self._ends, group, "right"))
        shard = self.shards[number]
        return shard, group - int(self._ends[number]) + len(shard.row_groups)
