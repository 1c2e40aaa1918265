"""The number of records of a crawl from the heads and sizes of its gzip members, with hardly a byte inflated.

A crawl has a member for each record. Such a member is believed where three things fit: its text begins with a
well-formed header; the size of its text, which gzip writes at its end (RFC 1952 section 2.3.1), is that of header,
declared content and the line ends behind it (WARC 1.1, section 4); and the next member, or the end of the file, follows
right there. What is compressed between is taken as it is: the reader has inflated it and checked its CRC.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from lauter.pipeline.contract import FileCount
from lauter.stages.read import framing
from lauter.stages.read.recount import COUNTED, header
from lauter.stages.read.recount_text import FedText, FileText

HEAD = 2 << 10
"""Compressed bytes, and twice as many of text, in which a header ends, or the file is left to the count."""

_TAIL = 4
_LEAST = 18
"""Bytes of the header and trailer of a member (RFC 1952 section 2.3)."""

_ENDS = 4
"""Places taken for a member's end, by the magic of the next: in 16 MB of compressed text it stands once by chance, and
behind a fitting size once in 2^56 bytes. A record that begins there says that the size was wrong."""


def glance(stream: BinaryIO, max_record_bytes: int) -> FileCount | None:
    """Records of a gzipped WARC file if all of its members hold one whole record each; None if any seems not to."""
    file = FileText(stream)
    if file.at(0, 3) != framing.GZIP:
        return None
    records = position = 0
    while head := file.at(position, HEAD):
        try:
            text = zlib.decompressobj(31).decompress(head, 2 * HEAD)
        except zlib.error:
            return None
        size, length, kind = header(FedText(iter([(text, True)])), 0)
        if size < 0 or length > max_record_bytes:
            return None
        position = _end(file, position, size + length + _TAIL)
        if position < 0:
            return None
        records += kind in COUNTED
    return FileCount(records)


def _end(file: FileText, begin: int, size: int) -> int:
    """Where the member at `begin` ends, if it may be one of `size` bytes of text; else -1."""
    trailer = (size & 0xFFFFFFFF).to_bytes(4, "little")
    at = begin + _LEAST
    for _ in range(_ENDS):
        at = file.find(framing.GZIP, at)
        if file.at(at - 4, 4) == trailer:
            return at
        if _begins_record(file, at):
            return -1
        at += 1
    return -1


def _begins_record(file: FileText, position: int) -> bool:
    try:
        return zlib.decompressobj(31).decompress(file.at(position, framing.PROBE), 5) == b"WARC/"
    except zlib.error:
        return False
