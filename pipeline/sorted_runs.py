"""Exchange files of rows in the order of a hash: any range of it is found in them, however many ranges there are.

A file is an exchange file (`exchange.py`) whose runs are sorted by stream and hash, and cut into messages wherever that
falls. So 4,000 small streams cost no more messages than one large one, and a shard need not begin where a message does:
what is read is mapped, and the rows of the shard are a slice of it. In the index a message's partition says what it
covers: its first and its last row as a stream (15 bits) and the high 16 bits of the hash each.

Rows have the column `order` (uint64, the hash), and `stream` (uint16, the file's own number of it) where the schema has
it; without, all are of stream 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.storage import Storage, StorageError

MESSAGE_BYTES = 64 << 10
"""Where nothing else is said: a thousandth of a run. Writing a message costs 40 us, so this is 1 % of the encoding;
where files are not mapped, a shard of a corpus of 1,000 reads one message for its own slice of a run."""

STREAMS = 1 << 15
"""Streams of a file, by the 15 bits that are left for them."""

_FENCE_BITS = 16


class SortedSink:
    """Writes rows of one schema in sorted runs; holds a run and its rows once more in order."""

    def __init__(self, path: Path, schema: pa.Schema, message_bytes: int = MESSAGE_BYTES) -> None:
        """`message_bytes`: size of a message before its heading, which is some 500 bytes."""
        self.rows = 0
        self._message_bytes = message_bytes
        self._file = path.open("wb")
        self._schema = schema
        self._index = array("q")
        self._tables: list[pa.Table] = []
        self._pending_bytes = 0

    def write(self, table: pa.Table) -> None:
        """Add rows; raises `StorageError` where a stream's number is too large."""
        if table.num_rows:
            self.rows += table.num_rows
            self._tables.append(table)
            self._pending_bytes += table.nbytes
            if int(_streams(table).max()) >= STREAMS:
                raise StorageError(f"one input has documents of more than {STREAMS:,} streams: declare fewer of them")
            if self._pending_bytes >= exchange.RUN_BYTES:
                self._flush()

    def _flush(self) -> None:
        if not self._tables:
            return
        table = pa.concat_tables(self._tables)
        order = np.lexsort((table.column("order").to_numpy(), _streams(table)))
        run = exchange.one_batch(table.take(pa.array(order)))
        self._tables, size, self._pending_bytes = [], self._pending_bytes, 0
        place = _places(run)
        rows = max(1, self._message_bytes * run.num_rows // size)
        for start in range(0, run.num_rows, rows):
            end = min(start + rows, run.num_rows)
            message = run.slice(start, end - start).serialize()
            self._file.write(bytes(-self._file.tell() % exchange.ALIGNMENT))
            covered = int(place[start]) << 32 | int(place[end - 1])
            self._index.extend((covered, self._file.tell(), message.size))
            self._file.write(message)

    def close(self) -> None:
        """Write what is pending and the index."""
        self._flush()
        exchange.write_index(self._file, self._index)
        self._file.close()


def _streams(rows: pa.Table | pa.RecordBatch) -> NDArray[np.uint16]:
    """The stream of each row, shape (n,)."""
    if "stream" not in rows.schema.names:
        return np.zeros(rows.num_rows, np.uint16)
    streams: NDArray[np.uint16] = rows.column("stream").to_numpy()
    return streams


def _places(run: pa.RecordBatch) -> NDArray[np.int64]:
    """The stream and the high bits of the hash of each row, shape (n,): 31 bits."""
    order = run.column("order").to_numpy() >> np.uint64(64 - _FENCE_BITS)
    places: NDArray[np.int64] = _streams(run).astype(np.int64) << _FENCE_BITS | order.astype(np.int64)
    return places


def read_range(
    storage: Storage, path: str, stream: int, cells: tuple[int, int], of: int, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of one stream whose hash lies in the cells [first, end), of `of` equal ranges of the hash.

    They come run by run, each sorted by the hash; where the file is mapped they are a view of it.
    """
    # partition_of(hash, of) >= cell just where the hash's high half is at least ceil(cell 2^32 / of).
    least, most = (-(-(cell << 32) // of) for cell in cells)
    first = stream << _FENCE_BITS | least >> 16
    last = stream << _FENCE_BITS | (most - 1) >> 16
    with storage.open(path) as source:
        index = exchange.read_index(storage, path, source)
        near = index[(index[:, 0] >> 32 <= last) & (index[:, 0] & 0xFFFFFFFF >= first)]
        for _, offset, length in near.tolist():
            source.seek(offset)
            batch = pa.ipc.read_record_batch(source.read_buffer(length), schema)
            start, end = np.searchsorted(_streams(batch), [stream, stream + 1]).tolist()
            half = (batch.column("order").to_numpy()[start:end] >> np.uint64(32)).astype(np.int64)
            low, high = np.searchsorted(half, [least, most]).tolist()
            if high > low:
                yield batch.slice(start + low, high - low)
