"""Writers of token data: documents go in as they come, memory holds what was handed over and no more.

Files grow under the name `FILE.partial` and are renamed when they are whole: a killed export leaves no file that a
trainer would take for a dataset.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.storage import Output, digest_file
from lauter.trainer.indexed.layout import HEADER_BYTES, Header, dtype_of, pointers

BLOCK = 1 << 20
"""Documents whose borders are held at a time: 12 MB."""


class Writer(Protocol):
    """What an export writes documents with."""

    def write(self, tokens: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        """Add n documents: `tokens` of shape (N,) one after the other, `lengths` of shape (n,) sums to N."""
        ...

    def close(self) -> list[Output]:
        """Finish and publish the files; returns them by name, with size and digest. Raises `OSError`."""
        ...

    def discard(self) -> None:
        """Remove what was written."""
        ...


class MegatronWriter:
    """`PREFIX.bin` and `PREFIX.idx`."""

    def __init__(self, prefix: Path, ids: int) -> None:
        """`ids`: of the vocabulary; decides the dtype. Raises `OSError`."""
        self._code, self._dtype = dtype_of(ids)
        self._bin = _Growing(prefix.with_name(f"{prefix.name}.bin"))
        self._idx = _Growing(prefix.with_name(f"{prefix.name}.idx"))
        self._documents = 0
        self._idx.file.write(bytes(HEADER_BYTES))  # Its numbers are known at the end.

    def write(self, tokens: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        """See `Writer`."""
        self._bin.write(tokens.astype(self._dtype))
        self._idx.file.write(lengths.astype("<i4").data)
        self._documents += len(lengths)

    def close(self) -> list[Output]:
        """See `Writer`."""
        idx = self._idx.file
        for borders in self._borders():
            idx.write(borders.astype("<i8").data)
        idx.seek(0)
        idx.write(Header(self._code, self._documents, self._documents + 1).to_bytes())
        return [self._bin.publish(), self._idx.publish()]

    def discard(self) -> None:
        """See `Writer`."""
        self._bin.discard()
        self._idx.discard()

    def _borders(self) -> Iterator[NDArray[np.int64]]:
        # The lengths are read back from the file a block at a time.
        self._idx.file.flush()
        at = 0
        with self._idx.path.open("rb") as stored:
            stored.seek(HEADER_BYTES)
            for first in range(0, self._documents, BLOCK):
                count = min(BLOCK, self._documents - first)
                starts, at = pointers(np.frombuffer(stored.read(4 * count), "<i4"), at, self._dtype.itemsize)
                yield starts
        for first in range(0, self._documents + 1, BLOCK):
            yield np.arange(first, min(first + BLOCK, self._documents + 1))


class FlatWriter:
    """`PREFIX.ds`: ids one after the other as uint16 or uint32, for nanotron.

    Beside it, as datatrove (0.10) writes them: `PREFIX.ds.index`, uint64, where each document ends in tokens; and
    `PREFIX.ds.metadata`, text, `TOKENIZER|bytes of an id` and the number of tokens.
    """

    def __init__(self, prefix: Path, ids: int, tokenizer: str) -> None:
        """`tokenizer`: what the metadata call it. Raises `OSError`."""
        self._dtype = np.dtype("<u2" if dtype_of(ids)[1].itemsize == 2 else "<u4")
        self._tokens, self._index, self._metadata = (
            _Growing(prefix.with_name(f"{prefix.name}.ds{end}")) for end in ("", ".index", ".metadata")
        )
        self._tokenizer = tokenizer
        self._end = 0

    def write(self, tokens: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        """See `Writer`."""
        self._tokens.write(tokens.astype(self._dtype))
        self._index.write(self._end + np.cumsum(lengths).astype("<u8"))
        self._end += len(tokens)

    def close(self) -> list[Output]:
        """See `Writer`."""
        text = f"{self._tokenizer}|{self._dtype.itemsize}\n{self._end}\n{self._end:,} tokens"
        self._metadata.write(np.frombuffer(text.encode(), np.uint8))
        return [file.publish() for file in (self._tokens, self._index, self._metadata)]

    def discard(self) -> None:
        """See `Writer`."""
        for file in (self._tokens, self._index, self._metadata):
            file.discard()


class _Growing:
    """A file under its provisional name, and the digest of what was written with `write`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.partial")
        self.file: BinaryIO = self.path.open("wb")
        self._digest = hashlib.sha256()
        self._hashed = 0

    def write(self, values: NDArray[Any]) -> None:
        data = np.ascontiguousarray(values).view(np.uint8).data
        self._digest.update(data)
        self._hashed += len(data)
        self.file.write(data)

    def publish(self) -> Output:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        size = self.path.stat().st_size
        digest = self._digest.hexdigest() if size == self._hashed else digest_file(self.path)
        self.path.replace(self.target)
        return Output(self.target.name, size, digest)

    def discard(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)
