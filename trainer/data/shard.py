"""A token shard as its index describes it, and one of its row groups as flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.data.errors import DataError

SPANS = schema.LOSS_SPANS.name


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
    loss_spans: NDArray[np.int64] | None = None
    """Start and end, in turn, of each run of tokens that carry loss as labels, as places in `tokens`: ascending, shape
    (2 x runs,). None: all of them, as in a corpus without dialogues."""


def read_row_group(shard: Shard, number: int, languages: Mapping[str, int]) -> RowGroup:
    """Decode one row group; the tokens stay in Arrow's buffer.

    Raises:
        DataError: the file is gone or damaged.
    """
    table = _columns(shard, number, ("language", "tokens", "removed"), (SPANS,))
    lists = _one(table.column("tokens"))
    offsets = lists.offsets.to_numpy().astype(np.int64)
    places = offsets - offsets[0]
    spans = _spans(_one(table.column(SPANS)), places) if SPANS in table.column_names else None
    if spans is not None and not _ascend(spans, places):
        raise DataError(
            [
                f"{shard.where}: row group {number} has {SPANS} that do not ascend or leave their document; run "
                f"`lauter audit {shard.storage.root}`, and rebuild with `lauter build`"
            ]
        )
    return RowGroup(
        lists.values.to_numpy()[offsets[0] : offsets[-1]],
        places,
        _indices(_one(table.column("language")), languages),
        _one(table.column("removed")).to_numpy(zero_copy_only=False),
        spans,
    )


def marks_loss(shard: Shard) -> bool:
    """Whether the shard says which tokens carry loss, as those of dialogues do: its footer alone is read.

    Raises:
        DataError: the file is gone or damaged.
    """
    try:
        with shard.storage.open(shard.path) as source:
            return SPANS in pq.read_schema(source).names
    except (StorageError, OSError, pa.ArrowException) as error:
        raise DataError([f"{shard.where} can't be read ({error}); run `lauter audit {shard.storage.root}`"]) from error


def read_lengths(shard: Shard, number: int) -> NDArray[np.int64]:
    """Tokens of each document of one row group, shape (n,): the column `length` alone is read.

    Raises:
        DataError: the file is gone or damaged.
    """
    lengths: NDArray[np.int64] = _columns(shard, number, ("length",)).column("length").to_numpy().astype(np.int64)
    return lengths


def _columns(shard: Shard, number: int, names: Sequence[str], where_there: Sequence[str] = ()) -> pa.Table:
    try:
        with shard.storage.open(shard.path) as source:
            # Reading columns ahead saves round trips to S3; from a memory map it is a copy for nothing.
            file = pq.ParquetFile(source, pre_buffer=not shard.storage.is_local)
            more = [name for name in where_there if name in file.schema_arrow.names]
            return file.read_row_group(number, columns=[*names, *more], use_threads=False)
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


def _spans(column: pa.ListArray, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `RowGroup.loss_spans`; a document whose spans are null carries loss everywhere."""
    counts = column.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    whole = column.is_null().to_numpy(zero_copy_only=False)
    found = np.empty(int(counts.sum()) + 2 * int(whole.sum()), np.int64)
    ends = np.cumsum(counts + 2 * whole)
    is_whole = np.repeat(whole, counts + 2 * whole)
    starts = offsets[:-1]
    # Not `column.values`: what a null or a slice hides may lie between the values.
    found[~is_whole] = column.flatten().to_numpy().astype(np.int64) + np.repeat(starts, counts)
    found[ends[whole] - 2], found[ends[whole] - 1] = starts[whole], offsets[1:][whole]
    return found


def _ascend(spans: NDArray[np.int64], offsets: NDArray[np.int64]) -> bool:
    """Whether starts and ends make runs within one document each, one behind the other."""
    if len(spans) % 2 or np.any(np.diff(spans) < 0):
        return False
    if not len(spans):
        return True
    starts, ends = spans[::2], spans[1::2]
    document = np.minimum(np.searchsorted(offsets, starts, "right"), len(offsets) - 1) - 1
    return bool(starts[0] >= 0 and ends[-1] <= offsets[-1] and np.all(ends <= offsets[document + 1]))
