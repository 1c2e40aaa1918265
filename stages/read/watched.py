"""A stream that tells a failing disk or network from bad bytes."""

from __future__ import annotations

from typing import BinaryIO


class Watched:
    """A seekable stream for a decoder whose errors mean bad bytes; `failure` is what the stream itself raised."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.seek(0, 2)
        self._size = stream.tell()
        stream.seek(0)
        self.failure: Exception | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        try:
            return self._stream.read(size)
        except Exception as error:
            self.failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the stream, at most to its end: bad bytes may name any position, and Arrow's files refuse some."""
        position = offset + (0, self._stream.tell(), self._size)[whence]
        try:
            self._stream.seek(min(max(position, 0), self._size))
        except Exception as error:
            self.failure = error
            raise
        return self._stream.tell()

    def tell(self) -> int:
        """The position."""
        return self._stream.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """The stream belongs to the caller and stays open."""
