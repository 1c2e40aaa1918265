"""Bodies and damage that no text editor writes: other formats, empty frames, a bomb, brotli, garbage."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable

FRAMES = 50
SPACES = 65 << 20
"""One mebibyte more than the reader's default limit on a body: a modest bomb, some hundred bytes when packed twice."""

GARBAGE = 700

_PDF = b"""%PDF-1.4
1 0 obj
<< /Type /Catalog /Pages 2 0 R >>
endobj
2 0 obj
<< /Type /Pages /Kids [] /Count 0 >>
endobj
trailer
<< /Root 1 0 R >>
%%EOF
"""


def body(kind: str) -> bytes:
    """The body of a record that is no page: `pdf`, `png`, `frames` or `spaces`. Raises `KeyError` for another kind."""
    makers: dict[str, Callable[[], bytes]] = {
        "pdf": lambda: _PDF,
        "png": _png,
        "frames": _frames,
        "spaces": lambda: b" " * SPACES,
    }
    return makers[kind]()


def _png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\0\x7f")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _frames() -> bytes:
    opening = "".join(f'<frameset cols="50%,50%"><frame src="/{n}/a"><frame src="/{n}/b">' for n in range(FRAMES))
    return f"<!DOCTYPE html><html><head><title>Frames</title></head>{opening}{'</frameset>' * FRAMES}</html>".encode()


def garbage() -> bytes:
    """Bytes that are no record and hold none: a chain of SHA-256 digests, and an empty line as after a record."""
    data = digest = b""
    while len(data) < GARBAGE:
        digest = hashlib.sha256(digest).digest()
        data += digest
    return data.replace(b"\n", b"\0")[:GARBAGE] + b"\r\n\r\n"


def brotli(data: bytes) -> bytes:
    """`data` as a brotli stream of stored meta-blocks (RFC 7932, sections 9.1 and 9.2): valid, if no smaller.

    A window of 64 KiB is one 0 bit. A meta-block's header is then ISLAST = 0 (1 bit), MNIBBLES = 0 (2), length - 1
    (16), ISUNCOMPRESSED = 1 (1), filled up to a byte; the stream ends with ISLAST = ISLASTEMPTY = 1.
    """
    stream = bytearray()
    for start in range(0, len(data), 1 << 16):
        block = data[start : start + (1 << 16)]
        window = 1 if start == 0 else 0
        header = ((len(block) - 1) << 3 | 1 << 19) << window
        stream += header.to_bytes(3, "little") + block
    return bytes(stream) + b"\x03"


def chunked(data: bytes) -> bytes:
    """`data` in chunks of 1,000 bytes (RFC 9112, section 7.1)."""
    pieces = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def bad_utf8(data: bytes) -> bytes:
    """The first four letters é after the title as the byte of Latin-1, as if a line had been pasted from elsewhere."""
    head, mark, rest = data.partition(b"</h1>")
    return head + mark + rest.replace("é".encode(), b"\xe9", 4)
