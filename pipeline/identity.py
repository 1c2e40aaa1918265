"""Who a record is: 128-bit ids that do not depend on file layout, order or machine.

`doc_id` hashes the record's own identity, so a crawl that is copied, recompressed or split keeps its ids. 128 bits:
at 3e10 records the expected number of chance collisions is 1.3e-18; 64 bits would give 24.
"""

from __future__ import annotations

import xxhash


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
