"""Who a record is: 128-bit ids that do not depend on file layout, order or machine.

`doc_id` hashes the record's own identity, so a crawl that is copied, recompressed or split keeps its ids. 128 bits:
at 3e10 records the expected number of chance collisions is 1.3e-18; 64 bits would give 24.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray


def _digest(*parts: bytes) -> bytes:
    # Length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    return xxhash.xxh3_128_digest(b"".join(len(part).to_bytes(8, "little") + part for part in parts))


def native_id(source: str, identifier: str) -> bytes:
    """16-byte id of a record that has an identifier of its own (WARC-Record-ID, or a row's id column)."""
    return _digest(b"native", source.encode(), identifier.encode("utf-8", "surrogateescape"))


def content_id(source: str, url: str | None, date: str | None, payload: bytes) -> bytes:
    """16-byte id of a record without one: URL + date + digest of its payload (or text)."""
    return _digest(
        b"content",
        source.encode(),
        (url or "").encode("utf-8", "surrogateescape"),
        (date or "").encode(),
        xxhash.xxh3_128_digest(payload),
    )


def range_id(source: str, file: str, start: int, end: int) -> bytes:
    """16-byte id of a corrupt byte range [start, end) of a file."""
    return _digest(b"range", source.encode(), file.encode(), start.to_bytes(8, "little"), end.to_bytes(8, "little"))


def shuffle_order(doc_id: pa.FixedSizeBinaryArray, seed: int) -> NDArray[np.uint64]:
    """The shuffle hash of each document, uint64: xxh3_64(seed, doc_id), a function of nothing else."""
    return np.fromiter((xxhash.xxh3_64_intdigest(item, seed) for item in doc_id.to_pylist()), np.uint64, len(doc_id))


def payload_hashes(payload: pa.Array) -> pa.UInt64Array:
    """xxh3-64 of each payload's bytes; null where a record has none, as its text was given."""
    hashes = [None if item is None else xxhash.xxh3_64_intdigest(memoryview(item)) for item in map(_buffer, payload)]
    return pa.array(hashes, pa.uint64())


def _buffer(value: pa.Scalar) -> pa.Buffer | None:
    buffer: pa.Buffer | None = value.as_buffer()
    return buffer
