"""A stream that tells a failing disk or network from bad bytes."""

from __future__ import annotations

from typing import BinaryIO


class Watched:
    """A seekable stream for a decoder whose errors mean bad bytes; `failure` is what the stream itself raised."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
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
        """Move in the stream; returns the position."""
        try:
            self._stream.seek(offset, whence)
            return self._stream.tell()
        except Exception as error:
            self.failure = error
            raise

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
