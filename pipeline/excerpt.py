"""Some records of a file, as a file of their own: their bytes after one another, and nothing between them.

It is for a step that wants a few records again, which are a few hundredths of a crawl: it need not read the rest.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray


class Excerpt(io.RawIOBase):
    """The bytes of some ranges of a stream, in order. It holds nothing but the ranges; closing it leaves the stream."""

    def __init__(self, stream: BinaryIO, ranges: Sequence[tuple[int, int]] | NDArray[np.int64]) -> None:
        """`ranges` are (first byte, number of bytes), shape (n, 2), n >= 1."""
        self._stream = stream
        self._starts, sizes = np.asarray(ranges, np.int64).reshape(-1, 2).T
        self._ends: NDArray[np.int64] = np.cumsum(sizes)
        self._begins = self._ends - sizes
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        base = (0, self._position, int(self._ends[-1]))[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """Bytes of the ranges before the position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; less than that only at the end of the last range, or where the stream ends too early."""
        done = 0
        number = int(np.searchsorted(self._ends, self._position, side="right"))
        while done < len(buffer) and number < len(self._ends):
            skip = self._position - int(self._begins[number])
            wanted = min(len(buffer) - done, int(self._ends[number]) - self._position)
            self._stream.seek(int(self._starts[number]) + skip)
            part = self._stream.read(wanted)
            buffer[done : done + len(part)] = part
            done += len(part)
            self._position += len(part)
            if len(part) < wanted:
                break
            number += 1
        return done
