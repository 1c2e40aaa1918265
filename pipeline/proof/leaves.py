r"""A ledger row as one line of text, its URL's key, and the leaf that it is in the tree.

    locator = normalised URL | "url:" + URL without an http(s) origin | "doc:" + doc_id in hex, where there is no URL
    key     = SHA-256(locator)
    leaf    = SHA-256(0x00 || key || row text)          RFC 6962 section 2.1: leaves begin with 0x00, nodes with 0x01

A row text is every column of the row as `name=value`, in the order of the ledger's schema, separated by tabs. A null
has no part in it. Bytes are in hex, times in milliseconds since 1970, members of a struct are named `struct.member`,
each element of a list ends with a comma; backslash, tab, line feed and comma (in lists) in a value are written `\\`,
`\t`, `\n` and `\,`, a null element of a list `\N`. So different rows have different texts (but for a struct that is
null, which reads like one of nulls), and a verifier needs no Arrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import parquet, schema
from lauter.pipeline.origin import locate
from lauter.pipeline.storage import Storage, StorageError

DIGEST_BYTES = 32
LEAF = b"\x00"

ROWS = 1 << 14
"""Ledger rows that are hashed together: about 25 MB of texts, columns and digests."""

ESCAPED = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"))
"""What stands between the columns of a row text, and how it is written within one."""

# The spelling that `origin.locate` finds nothing to normalise in, as RE2 has it; what else there is goes through it.
_PLAIN = r"^https?://(?:[a-z0-9_-]+\.)+[a-z0-9_-]+/[^#\x00-\x20]*$"

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)

Digests = NDArray[np.uint8]
"""Shape (n, 32)."""


class Leaves(NamedTuple):
    """The leaves of n ledger rows."""

    keys: Digests
    leaves: Digests


def locator(url: str | None, doc_id: bytes) -> str:
    """What a row is found by; see the module.

    >>> locator("HTTP://Example.org:80/a#b", bytes(16)), locator("dns:example.org", bytes(16))
    ('http://example.org/a', 'url:dns:example.org')
    """
    if url is None:
        return f"doc:{doc_id.hex()}"
    location = locate(url)
    return location.origin + location.target if location else f"url:{url}"


def doc_id_of(wanted: str) -> bytes | None:
    """The doc_id that someone who asks for a record wrote in hex; None where it is none, and must be a URL.

    >>> doc_id_of("00" * 16) == bytes(16), doc_id_of("https://example.org/")
    (True, None)
    """
    try:
        value = bytes.fromhex(wanted)
    except ValueError:
        return None
    return value if len(value) == 16 else None


def key_of(located: str) -> bytes:
    """The 32-byte key of a locator."""
    return hashlib.sha256(located.encode("utf-8", "surrogateescape")).digest()


def ledger_batches(storage: Storage, path: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A ledger part in pieces of at most `ROWS` rows; raises `StorageError` where it lacks a column."""
    wanted = columns or schema.LEDGER.names
    for batch in parquet.batches(storage, path, wanted):
        lacking = sorted(set(wanted) - set(batch.schema.names))
        if lacking:
            raise StorageError(f"{storage.root}/{path}: has no column `{lacking[0]}`")
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def leaves(batch: pa.RecordBatch) -> Leaves:
    """Keys and leaves of ledger rows, in their order."""
    keys = row_keys(batch)
    first, *others = _all_parts(batch)
    # The key goes before the first column, so that the texts, the bulk of all bytes, are copied once.
    first = pc.binary_join_element_wise(LEAF, _fixed(keys).cast(pa.binary()), first, b"")
    return Leaves(keys, _sha256(_line(first, *others)))


def row_keys(batch: pa.RecordBatch) -> Digests:
    """The key of each row, from its columns `url` and `doc_id`."""
    url = batch.column("url").cast(pa.binary())
    plain = pc.fill_null(pc.match_substring_regex(url, _PLAIN), fill_value=False)
    other = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    if len(other):
        chosen = batch.select(["url", "doc_id"]).take(pa.array(other))
        found = [
            locator(None if text is None else text.decode("utf-8", "surrogateescape"), doc_id).encode(
                "utf-8", "surrogateescape"
            )
            for text, doc_id in zip(
                chosen.column("url").cast(pa.binary()).to_pylist(), chosen.column("doc_id").to_pylist(), strict=True
            )
        ]
        url = pc.replace_with_mask(url, pc.invert(plain), pa.array(found, pa.binary()))
    return _sha256(url)


def row_texts(batch: pa.RecordBatch) -> pa.Array:
    """Each row as one line of text (binary, as a rule UTF-8); see the module."""
    return _line(*_all_parts(batch))


def _all_parts(batch: pa.RecordBatch) -> list[pa.Array]:
    """The parts of the lines; the first is that of `doc_id`, which no row lacks."""
    return [part for field in schema.LEDGER for part in _parts(field.name, batch.column(field.name))]


def _line(*parts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, b"\t", null_handling="skip")


def _parts(name: str, column: pa.Array) -> list[pa.Array]:
    """A column as `name=value` (binary, null where the value is), a struct as one such column a member."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return [values.take(column.indices) for values in _parts(name, column.dictionary)]
    if pa.types.is_struct(kind):
        members = zip(kind, column.flatten(), strict=True)
        return [part for field, member in members for part in _parts(f"{name}.{field.name}", member)]
    return [pc.binary_join_element_wise(f"{name}=".encode(), _values(column), b"")]


def _values(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_list(kind):
        return _list_values(column)
    if pa.types.is_fixed_size_binary(kind):
        return _hex(column)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms", kind.tz)).cast(pa.int64()).cast(pa.string()).cast(pa.binary())
    if pa.types.is_integer(kind):
        return column.cast(pa.string()).cast(pa.binary())
    return _escape(column.cast(pa.binary()), ESCAPED)


def _list_values(column: pa.Array) -> pa.Array:
    flat = _escape(column.flatten().cast(pa.binary()), (*ESCAPED, (b",", b"\\,")))
    flat = pc.binary_join_element_wise(pc.fill_null(flat, b"\\N"), b"", b",")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, flat), b"")
    return pc.if_else(pc.is_valid(column), joined, None)


def _escape(column: pa.Array, escaped: tuple[tuple[bytes, bytes], ...]) -> pa.Array:
    # Looking for a byte in the whole buffer costs a tenth of looking through the values one by one.
    data, _ = _buffers(column)
    for byte, written in escaped:
        if (data == byte[0]).any():
            column = pc.replace_substring(column, byte, written)
    return column


def _buffers(column: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of a binary column, shape (bytes,), and its n + 1 offsets in them."""
    _, offsets, data = column.buffers()
    if not len(column) or data is None:
        return np.empty(0, np.uint8), np.zeros(len(column) + 1, np.int32)
    place = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[place[0] : place[-1]], place - place[0]


def _hex(column: pa.Array) -> pa.Array:
    width = column.type.byte_width
    data = np.frombuffer(column.buffers()[1], np.uint8)[width * column.offset : width * (column.offset + len(column))]
    digits = _fixed(_HEX[data].view(np.uint8).reshape(len(column), 2 * width)).cast(pa.binary())
    return pc.if_else(pc.is_valid(column), digits, None) if column.null_count else digits


def _fixed(rows: Digests) -> pa.Array:
    kind = pa.binary(rows.shape[1])
    return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def _sha256(column: pa.Array) -> Digests:
    """SHA-256 of each value of a binary column without nulls."""
    data, offsets = _buffers(column)
    view, sha256 = data.data, hashlib.sha256
    places = offsets.tolist()
    digests = b"".join([sha256(view[start:end]).digest() for start, end in pairwise(places)])
    return cast("Digests", np.frombuffer(digests, np.uint8).reshape(len(column), DIGEST_BYTES))
