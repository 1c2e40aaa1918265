"""The bytes of a snapshot file, plain or compressed, with the places where some are lost made visible."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple

_GZIP = b"\x1f\x8b"
_MEMBER = b"\x1f\x8b\x08"
# Small, because what follows the end of a member is copied: a robots.txt record compresses to some hundred bytes.
_READ_BYTES = 1 << 16
_PART_BYTES = 1 << 16


class Kind(Enum):
    """What a part of a file is."""

    DATA = 1
    BOUNDARY = 2
    """The end of a gzip member."""
    LOSS = 3
    """Bytes that should stand here cannot be read."""


class Part(NamedTuple):
    """A run of decompressed bytes, or a place between two."""

    kind: Kind
    data: bytes = b""


def read_parts(path: str) -> Iterator[Part]:
    """Yield the decompressed bytes of a file, told by its first bytes to be gzip, zstd, lz4 or plain.

    In a damaged gzip file everything up to the damage is yielded, then a LOSS, then what follows from the next member
    that can be read. zstd and lz4 files end at their first damage. A LOSS stands too where the file ends too early.
    Raises OSError if the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] == _GZIP or path.lower().endswith(".gz"):
            yield from _gzip_parts(file)
        elif head in (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"):
            yield from _other_parts(file, zstd=head[0] == 0x28)
        else:
            while data := file.read(_READ_BYTES):
                yield Part(Kind.DATA, data)


def _gzip_parts(file: BinaryIO) -> Iterator[Part]:
    raw = b""
    member = None
    while True:
        raw = raw or file.read(_READ_BYTES)
        if member is None:
            raw = raw.lstrip(b"\0")  # Padding between members, as the gzip tools allow it.
        if not raw:
            if file.read(1):
                file.seek(-1, 1)
                continue
            break
        fresh = member is None
        before = None if member is None else member.copy()
        member = member or zlib.decompressobj(31)
        try:
            data = member.decompress(raw, _PART_BYTES)
        except zlib.error:
            yield Part(Kind.DATA, _up_to_damage(before or zlib.decompressobj(31), raw))
            yield Part(Kind.LOSS)
            member = None
            raw = _next_member(file, raw[1:] if fresh else raw)
            continue
        if data:
            yield Part(Kind.DATA, data)
        if member.eof:
            raw = member.unused_data
            member = None
            yield Part(Kind.BOUNDARY)
        else:
            raw = member.unconsumed_tail
    if member is not None:
        yield Part(Kind.LOSS)


def _up_to_damage(member: zlib._Decompress, raw: bytes) -> bytes:
    out: list[bytes] = []
    try:
        for i in range(len(raw)):
            out.append(member.decompress(raw[i : i + 1]))
    except zlib.error:
        pass
    return b"".join(out)


def _next_member(file: BinaryIO, raw: bytes) -> bytes:
    """What is in hand from the next sign of a member on; empty at the end of the file."""
    while (at := raw.find(_MEMBER)) < 0:
        more = file.read(_READ_BYTES)
        if not more:
            return b""
        raw = raw[-len(_MEMBER) + 1 :] + more
    return raw[at:]


def _other_parts(file: BinaryIO, *, zstd: bool) -> Iterator[Part]:
    from fastwarc.stream_io import Lz4Reader, ZstdReader

    stream = ZstdReader(file) if zstd else Lz4Reader(file)
    try:
        while data := stream.read(_READ_BYTES):
            yield Part(Kind.DATA, data)
    except (OSError, ValueError, EOFError):
        yield Part(Kind.LOSS)
