"""The folder of preference data: what lies where, and the form of its files.

    preferences.json          what the data were made of and with: digests of all parents; written last
    making.json               the same before it is whole: another making does not go on in this folder
    tokenizer/                of the reference model
    completions/00000.parquet a block of prompts, each with the completions that there are
    rewards/00000.parquet     what each of these is worth
    pairs/00000.parquet       pairs of them, with quantile rewards
    reference/00000.parquet   log-probabilities of the pairs under the reference model

Each file is published whole; a step that finds its file goes on with the next.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.parquet import writer
from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.data.errors import DataError

FORMAT = 1
INDEX, MAKING, TOKENIZER = "preferences.json", "making.json", "tokenizer"

_IDS = pa.list_(pa.field("item", pa.uint32(), nullable=False))


def _columns(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


SCHEMAS = {
    "completions": _columns(
        ("prompt", pa.int64()),  # Number among all prompts, from 0.
        ("conversation", pa.string()),  # As `chat.record` writes it.
        ("prompt_ids", _IDS),
        ("texts", pa.list_(pa.field("item", pa.string(), nullable=False))),
        ("ids", pa.list_(pa.field("item", _IDS, nullable=False))),  # The end included, where it was said.
        ("whole", pa.list_(pa.field("item", pa.bool_(), nullable=False))),  # Ended, not cut.
        ("references", pa.int32()),  # The first so many are the reference model's.
    ),
    "rewards": _columns(("prompt", pa.int64()), ("rewards", pa.list_(pa.field("item", pa.float64(), nullable=False)))),
    "pairs": _columns(
        ("prompt", pa.int64()),
        ("prompt_ids", _IDS),
        ("chosen", _IDS),
        ("rejected", _IDS),
        ("chosen_quantile", pa.float64()),
        ("rejected_quantile", pa.float64()),
        ("chosen_reward", pa.float64()),
        ("rejected_reward", pa.float64()),
    ),
    "reference": _columns(("chosen", pa.float64()), ("rejected", pa.float64())),  # In nats, row by row of the pairs.
}


def block_path(kind: str, block: int) -> str:
    """Of a block's file."""
    return f"{kind}/{block:05d}.parquet"


def has_block(storage: Storage, kind: str, block: int) -> bool:
    """Whether it is published."""
    return storage.size(block_path(kind, block)) is not None


def write_block(storage: Storage, kind: str, block: int, rows: list[dict[str, Any]]) -> None:
    """Publish a block as one row group; the same rows give the same bytes."""
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
    with storage.staging(block_path(kind, block)) as staged, writer(staged, SCHEMAS[kind]) as sink:
        sink.write_table(table, row_group_size=max(len(rows), 1))


def read_block(storage: Storage, kind: str, block: int) -> pa.Table:
    """A block's rows. Raises `DataError` where it can't be read."""
    path = block_path(kind, block)
    try:
        with storage.open(path) as source:
            table = pq.read_table(source, use_threads=False)
    except (StorageError, OSError, pa.ArrowException) as error:
        raise DataError([f"{storage.root}/{path}: can't be read ({error}); delete it and make it again"]) from error
    if not table.schema.equals(SCHEMAS[kind]):
        raise DataError([f"{storage.root}/{path}: has other columns than preference data have; delete it"])
    return table
