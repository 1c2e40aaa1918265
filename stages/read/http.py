"""HTTP/1 messages as crawlers stored them: status, header block, and the body after de-chunking and decompression.

Sources: RFC 9112 (messages, chunked coding), RFC 9110 8.4 (content codings), RFC 7932 (br), RFC 8878 (zstd); the
WHATWG MIME Sniffing Standard for bodies without a media type. Crawlers often keep a coding's header over a body that
they have decoded already: a body that does not look coded at its first bytes is taken as it is. A body that ends early
is taken as far as it goes.
"""

from __future__ import annotations

import io
import re
import zlib
from functools import cache
from typing import NamedTuple, Protocol

MAX_HEADERS = 262_144
"""Bytes of an HTTP header block; browsers and servers stop at 8-256 KiB."""

MAX_CODINGS = 4

_STATUS = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})(?![0-9])[^\r\n]*\r?(?:\n|\Z)")
_BLOCK_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]{0,1024})?\r?\n")
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_HTML = re.compile(
    rb"[\t\n\x0c\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link)"
    rb"[\s>]|[\t\n\x0c\r ]*<!--",
    re.IGNORECASE,
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_NO_CODINGS = frozenset({"", "identity", "none", "utf-8", "binary", "8bit"})
"""Content codings that stand for none; the last three are no codings, but servers send them."""

_UNSURE = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})


class _Decoder(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class BodyError(Exception):
    """The body cannot be decoded; `reason` is the name of a reader's reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Message(NamedTuple):
    """A response: `block` is its raw header block (status line to empty line), `body` still coded."""

    status: int
    block: bytes
    body: memoryview


def split(content: bytes | memoryview) -> Message | None:
    """Header block and body of an HTTP response, or None if there is no status line or no end of the header block."""
    found = _STATUS.match(content)
    if found is None:
        return None
    end = _BLOCK_END.search(content, max(found.end() - 2, 0), MAX_HEADERS)
    if end is None:
        return None
    return Message(int(found[1]), bytes(content[: end.end()]), memoryview(content)[end.end() :])


@cache
def field(name: bytes) -> re.Pattern[bytes]:
    """Finds the fields of a name in a header block; group 1 is the value with its continuation lines."""
    flags = re.IGNORECASE | re.MULTILINE
    return re.compile(rb"^" + re.escape(name) + rb"[ \t]*:(.*(?:\n[ \t].*)*)$", flags)


def values(block: bytes, name: bytes) -> list[str]:
    """Values of a header field, in order, continuation lines joined; bytes that are not UTF-8 read as Latin-1."""
    return [decoded(b" ".join(value.split())) for value in field(name).findall(block)]


def decoded(value: bytes) -> str:
    """UTF-8 if it is, otherwise Latin-1, which holds any bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def media_type(content_type: str) -> tuple[str, str | None]:
    """Media type in lower case without parameters ("" if there is none that is one), and the charset parameter."""
    name = content_type.partition(";")[0].partition(",")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    return (name if _MEDIA_TYPE.fullmatch(name) and name not in _UNSURE else ""), charset[
        1
    ].lower() if charset else None


def sniff(body: bytes | memoryview) -> str:
    """Media type of a body that names none: HTML by its first tag, plain text if it has no binary byte, else octets.

    >>> sniff(b"  <!DOCTYPE html><p>")
    'text/html'
    """
    head = bytes(body[:1445])
    if head.startswith((b"\xfe\xff", b"\xff\xfe")):
        return "text/plain"
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(head):
        return "text/html"
    return "application/octet-stream" if _BINARY.search(head) else "text/plain"


def body(message: Message, limit: int) -> bytes | memoryview:
    """The body after de-chunking and decompression, in at most `limit` bytes.

    Raises `BodyError`: `payload-too-large`, `bad-transfer-encoding`, `bad-content-encoding`.
    """
    content: bytes | memoryview = message.body
    transfer = _codings(message.block, b"transfer-encoding")
    if "chunked" in transfer:
        content = dechunk(content)
    codings = _codings(message.block, b"content-encoding") + [name for name in transfer if name != "chunked"]
    if len(codings) > MAX_CODINGS:
        raise BodyError("bad-content-encoding")
    for coding in reversed(codings):
        if content:
            content = _decompressed(content, coding, limit)
    if len(content) > limit:
        raise BodyError("payload-too-large")
    return content


def _codings(block: bytes, name: bytes) -> list[str]:
    names = [coding.strip().lower() for value in values(block, name) for coding in value.split(",")]
    return [coding.removeprefix("x-") for coding in names if coding not in _NO_CODINGS]


def dechunk(content: bytes | memoryview) -> bytes | memoryview:
    """The data of a chunked body, as far as it goes if it was cut; as it is if the crawler had de-chunked it already.

    De-chunked is a body without a chunk at its start: no hexadecimal size on a line of its own, or no line end where
    the first chunk should end. Raises `BodyError` (`bad-transfer-encoding`) if a later chunk is none.
    """
    data = bytes(content)
    parts: list[bytes] = []
    position = 0
    while position < len(data):
        size = _CHUNK.match(data, position)
        if size is None:
            if not parts:
                return content
            if b"\n" in data[position:].strip(b"\r\n"):
                raise BodyError("bad-transfer-encoding")
            break
        length = int(size[1], 16)
        if length == 0:
            break
        start, end = size.end(), size.end() + length
        parts.append(data[start:end])
        if end >= len(data):
            break
        if data.startswith(b"\r\n", end):
            position = end + 2
        elif data.startswith(b"\n", end):
            position = end + 1
        elif len(parts) == 1:
            return content
        else:
            raise BodyError("bad-transfer-encoding")
    return b"".join(parts)


def _decompressed(content: bytes | memoryview, coding: str, limit: int) -> bytes | memoryview:
    if coding == "gzip":
        return _inflated(content, 31, limit) if bytes(content[:2]) == b"\x1f\x8b" else content
    if coding == "deflate":
        return _deflated(content, limit)
    if coding == "br":
        return _brotli(content, limit)
    if coding == "zstd":
        from fastwarc.stream_io import ZstdReader

        if bytes(content[:4]) != b"\x28\xb5\x2f\xfd":
            return content
        return _drained(ZstdReader(io.BytesIO(content), fsspec_args=False), limit)
    raise BodyError("bad-content-encoding")


def _inflated(content: bytes | memoryview, window_bits: int, limit: int) -> bytes:
    """Every member of a zlib, gzip or raw deflate body."""
    parts: list[bytes] = []
    room = limit + 1
    rest: bytes | memoryview = content
    while rest:
        decoder = zlib.decompressobj(window_bits)
        try:
            parts.append(decoder.decompress(rest, room))
        except zlib.error as error:
            if len(parts) and parts[0]:
                break  # bytes after the last member
            raise BodyError("bad-content-encoding") from error
        room -= len(parts[-1])
        if room <= 0:
            raise BodyError("payload-too-large")
        rest = decoder.unused_data
    return b"".join(parts)


def _deflated(content: bytes | memoryview, limit: int) -> bytes | memoryview:
    # RFC 9110 means the zlib format; some servers send raw deflate.
    for window_bits in (15, -15):
        try:
            return _inflated(content, window_bits, limit)
        except BodyError as error:
            if error.reason == "payload-too-large":
                raise
    return _undecoded(content)


def _brotli(content: bytes | memoryview, limit: int) -> bytes | memoryview:
    from fastwarc.stream_io import BrotliReader

    try:
        text = _drained(BrotliReader(io.BytesIO(content), fsspec_args=False), limit)
    except BodyError as error:
        if error.reason == "payload-too-large":
            raise
        return _undecoded(content)
    return text or _undecoded(content)


def _undecoded(content: bytes | memoryview) -> bytes | memoryview:
    """The body itself if it is plainly HTML: the formats br and deflate have no magic number to tell."""
    if _HTML.match(bytes(content[:1445])):
        return content
    raise BodyError("bad-content-encoding")


def _drained(reader: _Decoder, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = reader.read(65_536)
        except (OSError, ValueError, EOFError) as error:
            raise BodyError("bad-content-encoding") from error
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > limit:
            raise BodyError("payload-too-large")
