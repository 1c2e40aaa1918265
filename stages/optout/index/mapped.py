"""A robots.arrow in memory: its buffers by their places in the file, so that kernels read it as it is."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.optout.index.layout import AGENTS, INDEX, LOST

_COLUMNS = (
    "origin_id",
    "origin.offsets",
    "origin.data",
    "since.valid",
    "since",
    "status.valid",
    "status",
    "fetched_at.valid",
    "fetched_at",
    "sha256.valid",
    "sha256",
    "outcome",
    "unread",
    "sets.offsets",
    "agent.offsets",
    "agent.data",
    "agents.offsets",
    "agents.data",
    "signal",
    "file",
    "first_match",
    "rules.offsets",
    "allow",
    "anchored",
    "head_bytes",
    "head",
    "line",
    "path.offsets",
    "path.data",
    "text.offsets",
    "text.data",
)
(
    ORIGIN_ID,
    ORIGIN,
    ORIGIN_DATA,
    SINCE_VALID,
    SINCE,
    STATUS_VALID,
    STATUS,
    FETCHED_VALID,
    FETCHED,
    SHA256_VALID,
    SHA256,
    OUTCOME,
    UNREAD,
    SETS,
    AGENT,
    AGENT_DATA,
    OBEYING,
    OBEYING_DATA,
    SIGNAL,
    SET_FILE,
    FIRST_MATCH,
    RULES,
    ALLOW,
    ANCHORED,
    HEAD_BYTES,
    HEAD,
    LINE,
    PATH,
    PATH_DATA,
    TEXT,
    TEXT_DATA,
) = range(len(_COLUMNS))
"""Columns of `Mapped.at`."""

_WIDTH = np.ones(len(_COLUMNS), np.int64)
_WIDTH[[ORIGIN_ID, ORIGIN, SINCE, FETCHED, SETS, RULES, HEAD, PATH, TEXT]] = 8
_WIDTH[[STATUS, AGENT, OBEYING, LINE]] = 4
"""Bytes of an element."""


class Mapped:
    """The file and the directory of its buffers."""

    def __init__(self, source: Path | pa.Buffer) -> None:
        """Map a file, or take the bytes of one. Raises ValueError if it is no index of this version."""
        if isinstance(source, Path):
            with source.open("rb") as file:
                source = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.reader = pa.ipc.open_file(pa.BufferReader(source))
        if not self.reader.schema.equals(INDEX):
            raise ValueError("not an index of this version; compile the snapshot again")
        metadata = self.reader.schema.metadata or {}
        self.lost = int(metadata.get(LOST, b"0"))
        self.agents: tuple[str, ...] = tuple(json.loads(metadata.get(AGENTS, b"[]")))
        size = source.size
        self.bytes = np.frombuffer(source, np.uint8)
        self.int32 = self.bytes[: size // 4 * 4].view(np.int32)
        self.int64 = self.bytes[: size // 8 * 8].view(np.int64)
        self.uint64 = self.bytes[: size // 8 * 8].view(np.uint64)
        count = self.reader.num_record_batches
        self.at = np.zeros((count, len(_COLUMNS)), np.int64)
        """(batches, columns): where each buffer starts in the view of its width; -1 for a validity that is all true."""
        rows, sets, rules = (np.zeros(count + 1, np.int64) for _ in range(3))
        for number in range(count):
            batch = self.reader.get_batch(number)
            buffers = _buffers(batch)
            where = [-1 if b is None else b.address - source.address if b.size else 0 for b in buffers]
            self.at[number] = where // _WIDTH
            flat = batch.column("sets").values
            rows[number + 1] = batch.num_rows
            sets[number + 1] = len(flat)
            rules[number + 1] = len(flat.field("rules").values)
        self.rows, self.sets, self.rules = np.cumsum(rows), np.cumsum(sets), np.cumsum(rules)
        """The first row, set and rule of each batch, counted over the file, and their number as the last entry."""

    def batch_of(self, firsts: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """(batch, place in it) of rows, sets or rules counted over the file; `firsts` is `rows`, `sets` or `rules`."""
        batch = np.searchsorted(firsts, wanted, side="right") - 1
        return batch, wanted - firsts[batch]

    def places(self, column: int, batch: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where elements of a fixed-width column stand in the view of its width."""
        found: NDArray[np.int64] = self.at[batch, column] + place
        return found

    def valid(self, column: int, batch: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether elements are not null, by the bitmap in a `_VALID` column."""
        start = self.at[batch, column]
        bits = self.bytes[np.where(start < 0, 0, start + (place >> 3))] >> (place & 7).astype(np.uint8) & 1
        found: NDArray[np.bool_] = (start < 0) | (bits == 1)
        return found


def _buffers(batch: pa.RecordBatch) -> list[pa.Buffer | None]:
    column = batch.column
    origin, sha, outcome = column("origin").buffers(), column("sha256").buffers(), column("outcome").indices.buffers()
    since, status, fetched = (column(name).buffers() for name in ("since", "status", "fetched_at"))
    sets = column("sets").values
    agent, agents = sets.field("agent").buffers(), sets.field("agents").buffers()
    rules = sets.field("rules").values
    path, text = rules.field("path").buffers(), rules.field("text").buffers()
    return [
        column("origin_id").buffers()[1],
        *origin[1:],
        *since,
        *status,
        *fetched,
        *sha,
        outcome[1],
        column("unread").buffers()[1],
        column("sets").buffers()[1],
        *agent[1:],
        *agents[1:],
        *(sets.field(name).buffers()[1] for name in ("signal", "file", "first_match")),
        sets.field("rules").buffers()[1],
        *(rules.field(name).buffers()[1] for name in ("allow", "anchored", "head_bytes", "head", "line")),
        *path[1:],
        *text[1:],
    ]
