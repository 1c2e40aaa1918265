"""The snapshot that a fetch appends to: one row an answer, safe against an end at any moment."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from lauter.stages.optout.fetch.exchange import TRANSIENT

SUFFIXES = (".jsonl", ".jsonl.gz")
"""What the name of a snapshot that can be appended to must end in."""

_READ_BYTES = 1 << 16
_ROW_START = b'{"url": "'


class SnapshotError(Exception):
    """A file that cannot be gone on with."""


class Store:
    """An open snapshot, locked against a second writer.

    `.jsonl` has a row a line, `.jsonl.gz` a gzip member a row, so a row is there and whole or is cut off at the end of
    the file, where the next opening drops it.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Open or make the file and read which URLs have a row; with `again`, one that says that something answered.

        Raises SnapshotError for a name with another suffix, a file that another process writes, or one with bytes that
        no cut row explains; OSError where it cannot be read and written.
        """
        if not path.name.endswith(SUFFIXES):
            raise SnapshotError(f"{path}: name a file that ends in {' or '.join(SUFFIXES)}")
        self._gzip = path.name.endswith(".gz")
        self._file = path.open("a+b", buffering=0)
        self.urls: set[str] = set()
        """Every URL that need not be asked for."""
        self.dropped_bytes = 0
        """Of a row that was cut off."""
        try:
            self._lock(path)
            self._resume(path, again=again)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Store:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Bring everything to the disk and close."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def append(self, row: Mapping[str, object]) -> None:
        """Write one row, which must have its `url` first. Raises OSError if not all of it can be written."""
        data = json.dumps(row).encode() + b"\n"
        if self._gzip:
            data = gzip.compress(data, 6, mtime=0)
        written = self._file.write(data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes of a row were written: is the disk full?")
        self.urls.add(str(row["url"]))

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SnapshotError(f"{path}: another fetch is writing to it; wait for its end") from error

    def _resume(self, path: Path, *, again: bool) -> None:
        self._file.seek(0)
        end = 0
        # Unbuffered for writing, in pieces for reading: the descriptor is the same.
        with open(self._file.fileno(), "rb", closefd=False) as file:
            for line, after in _members(file) if self._gzip else _lines(file):
                row = _row(line)
                if row is None:
                    raise SnapshotError(f"{path}: damaged at byte {end:,}; name another file, or cut it off there")
                if not isinstance(row.get("url"), str):
                    raise SnapshotError(f"{path}: has rows without a url, so no fetch wrote it; name another file")
                # The last row of a URL is the one that counts.
                (self.urls.discard if again and _may_pass(row) else self.urls.add)(str(row["url"]))
                end = after
            file.seek(end)
            rest = file.read()
        if rest and not (_cut_member(rest) if self._gzip else _cut_line(rest)):
            raise SnapshotError(
                f"{path}: from byte {end:,} on it is not what a fetch writes; name another file, or cut it off there"
            )
        self.dropped_bytes = len(rest)
        if rest:
            self._file.truncate(end)


def _row(line: bytes) -> Mapping[str, object] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _may_pass(row: Mapping[str, object]) -> bool:
    """Whether a row says that nothing answered, or that the server was not able to."""
    status = row.get("status")
    return row.get("error") is not None or (isinstance(status, int) and (status in TRANSIENT or status >= 500))


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The whole lines of a file, and where each one ends."""
    end = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        end += len(line)
        yield line, end


def _members(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """What the whole gzip members of a file hold, and where each one ends; stops at the first that is not whole."""
    read = 0
    raw = b""
    while True:
        member = zlib.decompressobj(31)
        out: list[bytes] = []
        while not member.eof:
            if not raw:
                raw = file.read(_READ_BYTES)
                read += len(raw)
                if not raw:
                    return
            try:
                out.append(member.decompress(raw))
            except zlib.error:
                return
            raw = member.unused_data
        yield b"".join(out), read - len(raw)


def _cut_line(rest: bytes) -> bool:
    """Whether bytes are the beginning of a row; of a gzip member they may be all of it, with the checksum missing."""
    return b"\n" not in rest[:-1] and rest.startswith(_ROW_START[: len(rest)])


def _cut_member(rest: bytes) -> bool:
    """Whether bytes are the beginning of a gzip member that holds a row."""
    member = zlib.decompressobj(31)
    try:
        data = member.decompress(rest)
    except zlib.error:
        return False
    return not member.eof and _cut_line(data)
