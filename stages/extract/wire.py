"""What parent and child write to each other, in little-endian binary.

A chunk: number of pages (u32), length of each (u32), the pages. An answer: status (u8), length (u32), the text.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

READY = b"R"
KEPT, WHOLE = b"k", b"w"
"""What stands before each page of the backend `cascade`: the HTML of its kept blocks follows, or the page itself."""
OK, FAILED = 0, 1
ANSWER = struct.Struct("<BI")


def chunk(pages: Sequence[bytes]) -> bytes:
    """The bytes of a chunk."""
    return b"".join((struct.pack(f"<{1 + len(pages)}I", len(pages), *map(len, pages)), *pages))


def read_chunk(source: BinaryIO) -> list[bytes] | None:
    """The pages of the next chunk, None at the end of the input."""
    head = source.read(4)
    if len(head) < 4:
        return None
    (count,) = struct.unpack("<I", head)
    lengths = struct.unpack(f"<{count}I", source.read(4 * count))
    return [source.read(length) for length in lengths]


def answer(status: int, text: bytes) -> bytes:
    """The bytes of an answer."""
    return ANSWER.pack(status, len(text)) + text
