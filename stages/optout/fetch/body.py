"""Bodies as they arrive: decoded piece by piece, and never more of them than a reader of robots.txt has to read."""

from __future__ import annotations

import zlib
from typing import NamedTuple, Protocol

LIMIT_BYTES = 500 * 1024
"""What is kept of a decoded body: RFC 9309 section 2.5 asks for at least 500 KiB."""

# A coding may make bytes larger (a stored block of deflate: 5 bytes in 65,535). A stream that has sent so many for less
# text than the limit is made to keep us busy, and what it says is not known.
_WIRE_BYTES = LIMIT_BYTES + (1 << 16)
_GZIP = b"\x1f\x8b"


class Body(NamedTuple):
    """A decoded body."""

    data: bytes
    truncated: bool
    """There was more."""
    broken: bool
    """It cannot be decoded; `data` is empty."""


class _Decoder(Protocol):
    """One content coding."""

    def decode(self, data: bytes, limit: int) -> bytes:
        """What more bytes decode to, about `limit` bytes of it at most. Raises ValueError for a broken stream."""

    def ended(self) -> bool:
        """Whether the stream is whole."""


class BodyReader:
    """Takes the bytes of one body as they arrive."""

    def __init__(self, coding: str) -> None:
        """`coding` is the value of Content-Encoding, empty where there is none."""
        self._names = [name for part in coding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
        self._decoder = _decoder(self._names)
        self._wire = bytearray()
        self._data = bytearray()
        self._failed = False

    @property
    def full(self) -> bool:
        """Whether no more bytes are wanted."""
        return len(self._data) > LIMIT_BYTES or len(self._wire) > (_WIRE_BYTES if self._decoder else LIMIT_BYTES)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._wire += data
        if self._decoder is None or self._failed:
            return
        try:
            # One byte more than is kept tells a body that ends there from one that goes on.
            self._data += self._decoder.decode(data, LIMIT_BYTES + 1 - len(self._data))
        except ValueError:
            self._failed = True

    def finish(self) -> Body:
        """The body, where its bytes have ended or it is full.

        Many servers name a coding and send plain text: such bytes are taken as they are if they are ASCII, as the
        reader of archived answers does.
        """
        enough = len(self._data) > LIMIT_BYTES
        if self._decoder is None:
            readable = self._names == [] or self._wire.isascii()
        elif enough or (not self._failed and not self.full and self._decoder.ended()):
            return _cut(bytes(self._data))
        else:
            readable = self._wire.isascii()
        return _cut(bytes(self._wire)) if readable else Body(b"", truncated=False, broken=True)


def _cut(data: bytes) -> Body:
    return Body(data[:LIMIT_BYTES], truncated=len(data) > LIMIT_BYTES, broken=False)


def _decoder(names: list[str]) -> _Decoder | None:
    """The decoder of a coding; None for no coding, for several at once and for one that was not asked for."""
    if names in (["gzip"], ["x-gzip"], ["deflate"]):
        return _Inflate()
    return _Brotli() if names == ["br"] else None


class _Inflate:
    """gzip and deflate, told apart by their first bytes: servers confuse the names."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._gzip = False
        self._rest = b""

    def decode(self, data: bytes, limit: int) -> bytes:
        """Inflate; members of a gzip stream follow one another (RFC 1952 section 2.2)."""
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data = self._head
            self._gzip = data.startswith(_GZIP)
            self._stream = zlib.decompressobj(_window(data))
        out: list[bytes] = []
        self._rest += data
        try:
            while self._rest and limit > 0:
                if self._stream.eof:
                    if not self._gzip or not self._rest.startswith(_GZIP[: len(self._rest)]):
                        self._rest = b""  # Padding, which every reader passes over.
                        break
                    if len(self._rest) < 2:
                        break
                    self._stream = zlib.decompressobj(31)
                out.append(self._stream.decompress(self._rest, limit))
                limit -= len(out[-1])
                self._rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        except zlib.error as error:
            raise ValueError(str(error)) from error
        return b"".join(out)

    def ended(self) -> bool:
        """An empty body is whole as well: some servers name a coding for nothing."""
        return self._stream.eof if self._stream else not self._head


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._stream = brotli.Decompressor()
        self._error = brotli.error
        self._fed = False

    def decode(self, data: bytes, limit: int) -> bytes:
        self._fed = self._fed or bool(data)
        out: list[bytes] = []
        try:
            out.append(self._stream.process(data, output_buffer_limit=limit))
            while not self._stream.can_accept_more_data() and (limit := limit - len(out[-1])) > 0:
                out.append(self._stream.process(b"", output_buffer_limit=limit))
        except self._error as error:
            raise ValueError(str(error)) from error
        return b"".join(out)

    def ended(self) -> bool:
        return not self._fed or bool(self._stream.is_finished())


def _window(head: bytes) -> int:
    """What zlib has to expect: gzip, zlib (RFC 1950 section 2.2: its header divides by 31), or bare deflate."""
    if head.startswith(_GZIP):
        return 31
    return 15 if head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else -15
