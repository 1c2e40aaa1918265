"""A token shard as its index describes it, and one of its row groups as flat arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.data.errors import DataError


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file of whole documents, as `tokens/index.json` lists it."""

    storage: Storage
    path: str
    size: int
    """Bytes."""
    sha256: str
    rows: int
    tokens: int
    row_groups: tuple[str, ...]
    """SHA-256 of each row group's bytes."""

    @property
    def where(self) -> str:
        """The file as a message names it."""
        return f"{self.storage.root}/{self.path}"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Documents one after the other; n of them with N tokens together."""

    tokens: NDArray[np.uint32]
    """Shape (N,); read-only."""
    offsets: NDArray[np.int64]
    """Where each document starts in `tokens`, and N last; shape (n + 1,)."""
    languages: NDArray[np.int16]
    """Index of each document's language, -1 unknown; shape (n,)."""
    removed: NDArray[np.bool_]
    """Whether a takedown has left padding in the document's place; shape (n,)."""


def read_row_group(shard: Shard, number: int, languages: Mapping[str, int]) -> RowGroup:
    """Decode one row group; the tokens stay in Arrow's buffer.

    Raises:
        DataError: the file is gone or damaged.
    """
    table = _columns(shard, number, "language", "tokens", "removed")
    lists = _one(table.column("tokens"))
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return RowGroup(
        lists.values.to_numpy()[offsets[0] : offsets[-1]],
        offsets - offsets[0],
        _indices(_one(table.column("language")), languages),
        _one(table.column("removed")).to_numpy(zero_copy_only=False),
    )


def read_lengths(shard: Shard, number: int) -> NDArray[np.int64]:
    """Tokens of each document of one row group, shape (n,): the column `length` alone is read.

    Raises:
        DataError: the file is gone or damaged.
    """
    lengths: NDArray[np.int64] = _columns(shard, number, "length").column("length").to_numpy().astype(np.int64)
    return lengths


def _columns(shard: Shard, number: int, *names: str) -> pa.Table:
    try:
        with shard.storage.open(shard.path) as source:
            # Reading columns ahead saves round trips to S3; from a memory map it is a copy for nothing.
            file = pq.ParquetFile(source, pre_buffer=not shard.storage.is_local)
            return file.read_row_group(number, columns=list(names), use_threads=False)
    except (StorageError, OSError, pa.ArrowException) as error:
        raise DataError(
            [f"{shard.where}: row group {number} can't be read ({error}); run `lauter audit {shard.storage.root}`"]
        ) from error


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _indices(column: pa.DictionaryArray, languages: Mapping[str, int]) -> NDArray[np.int16]:
    # The last entry is for a document without a language.
    known = np.array([*(languages.get(name, -1) for name in column.dictionary.to_pylist()), -1], np.int16)
    indices: NDArray[np.int32] = column.indices.fill_null(len(known) - 1).to_numpy()
    return known[indices]
