"""WARC records (ISO 28500), read so that damage costs itself alone and never passes for an absent record."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lauter.stages.optout.snapshot.salvage import Kind, Part, read_parts

_HEAD_END = re.compile(rb"\r?\n\r?\n").search
_NEXT = re.compile(rb"\nWARC/[01]\.").search
_MAGIC = b"WARC/"
_HEAD_BYTES = 1 << 20
# Larger blocks are passed over in pieces: a robots.txt is cut at 500 KiB, and memory must not follow a damaged length.
_BLOCK_BYTES = 1 << 26


class Record(NamedTuple):
    """One record."""

    headers: Mapping[str, str]
    """Names in lower case."""
    block: bytes
    """Empty if it is larger than 64 MiB."""
    intact: bool
    """False where bytes are missing, or the record does not end where its length says."""


class _Buffer:
    """Bytes from the file, up to the next place over which no record runs."""

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._held: bytes | None = None
        self.data = b""
        self.at = 0
        self.stopped = False
        self.loss = False
        self.ends: list[int] = []
        """Offsets in `data` at which a gzip member ends."""

    def have(self, size: int) -> bool:
        """Whether `size` bytes can be had; reads them, and moves `at` to 0."""
        if not self.at and len(self.data) >= size:
            return True
        pieces = [self.data[self.at :]]
        self.ends = [end - self.at for end in self.ends if end >= self.at]
        total = len(pieces[0])
        while total < size and not self.stopped:
            part = next(self._parts, None)
            while part is not None and part.kind is Kind.BOUNDARY:
                # Some tools cut members anywhere: only where a record starts has the one before it ended.
                self.ends.append(total)
                part = next(self._parts, None)
                if part is not None and part.kind is Kind.DATA and part.data.startswith(_MAGIC):
                    self._held = part.data
                    self.stopped = True
            if self.stopped or part is None or part.kind is Kind.LOSS:
                self.loss = not self.stopped and part is not None
                self.stopped = True
                break
            pieces.append(part.data)
            total += len(part.data)
        self.data = b"".join(pieces)
        self.at = 0
        return total >= size

    def resume(self) -> bool:
        """Go on behind the place; False at the end of the file."""
        ended = self._held is None and not self.loss
        self.data, self.at, self.ends = self._held or b"", 0, []
        self._held, self.stopped, self.loss = None, False, False
        return not ended

    def seek_record(self) -> None:
        """Move to the next line that looks like the start of a record, or to the next place."""
        while (found := _NEXT(self.data, self.at)) is None:
            self.at = max(self.at, len(self.data) - len(_MAGIC) - 3)
            if not self.have(len(self.data) - self.at + 1):
                self.at = len(self.data)
                return
        self.at = found.start() + 1


def read_records(path: str, counts: Counter[str]) -> Iterator[Record]:
    """Yield every record of a file of which at least a header line can be read, in file order.

    `counts["lost"]` counts the places where bytes were lost: damaged or cut compression, bytes that belong to no
    record, a record that does not end where its length says (records in what that length swallowed are read). Where it
    stays 0, no record is missing. Raises OSError if the file cannot be opened.
    """
    buffer = _Buffer(read_parts(path))
    while True:
        while buffer.have(1) and buffer.data[0] in b"\r\n":
            buffer.at = len(buffer.data) - len(buffer.data.lstrip(b"\r\n"))
        if not buffer.have(1):
            counts["lost"] += buffer.loss
            if not buffer.resume():
                return
            continue
        buffer.have(len(_MAGIC))
        if not buffer.data.startswith(_MAGIC):
            counts["lost"] += 1
            buffer.seek_record()
            continue
        end = _head_end(buffer)
        headers = _headers(buffer.data[: end or None])
        length = headers.get("content-length", "")
        if not end or not re.fullmatch("[0-9]{1,15}", length):
            counts["lost"] += 1
            buffer.seek_record()
            yield Record(headers, b"", intact=False)
            continue
        buffer.at = end
        size = int(length)
        if size > _BLOCK_BYTES:
            block, intact = b"", _pass_over(buffer, size)
        else:
            intact = buffer.have(size)
            block = buffer.data[:size]
            intact = intact and _ends_record(buffer, size)
        if not intact:
            counts["lost"] += 1
            buffer.seek_record()
        elif size <= _BLOCK_BYTES:
            buffer.at = size
        yield Record(headers, block, intact)


def _head_end(buffer: _Buffer) -> int:
    """Where the block starts; 0 if the header does not end."""
    size = 1 << 12
    while True:
        more = buffer.have(size)
        found = _HEAD_END(buffer.data)
        if found:
            return found.end()
        if not more or size > _HEAD_BYTES:
            return 0
        size *= 2


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n")[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _pass_over(buffer: _Buffer, size: int) -> bool:
    while size:
        step = min(size, _BLOCK_BYTES)
        if not buffer.have(step):
            return False
        buffer.at = step
        size -= step
    buffer.have(0)
    return _ends_record(buffer, 0)


def _ends_record(buffer: _Buffer, at: int) -> bool:
    """Whether line ends alone part data[at:] from the next record, the end of its member, or the end of the file."""
    start = at
    while buffer.have(at + 1) and buffer.data[at] in b"\r\n":
        at += 1
    if buffer.have(at + len(_MAGIC)):
        return buffer.data.startswith(_MAGIC, at) or any(start <= end <= at for end in buffer.ends)
    # Damage right behind a record is most often a checksum that its bytes do not have.
    return any(start <= end <= at for end in buffer.ends) or (at == len(buffer.data) and not buffer.loss)
