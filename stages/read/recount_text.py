"""The text of WARC files as the second count takes it: by position, through zlib alone.

It follows the definition in `framing` and shares no code with `containers`. LZ4 and Zstandard are the exception: their
codec is the one that the reader uses, since the standard library has none.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, Protocol

from lauter.stages.read import framing
from lauter.stages.read.watched import Watched

STEP = 1 << 18
"""Bytes looked at in one go."""

INPUT = 32 << 10
"""Compressed bytes given to zlib at a time: a page of a crawl has some 20 KB. A bomb's text is 33 MB then."""

SMALL_INPUT = 8 << 10
"""The same where an error is looked for: what it makes, 8 MB at most, is held and made again byte by byte."""


class Text(Protocol):
    """The text of a stretch by position."""

    seekable: bool
    anchors: list[int]

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on, fewer only at the stretch's end."""
        ...

    def reaches(self, position: int) -> bool:
        """Whether the stretch has the byte at `position`; what lies before it stays at hand."""
        ...

    def free(self, position: int) -> None:
        """Nothing before `position` will be asked for again."""


class FileText:
    """A plain file."""

    seekable = True

    def __init__(self, stream: BinaryIO) -> None:
        self.anchors: list[int] = []
        self._stream = stream
        self._size = stream.seek(0, 2)
        self._start = 0
        self._block = b""

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on."""
        if position >= self._size:
            return b""
        skip = position - self._start
        held = self._start + len(self._block)
        if skip < 0 or position >= held or min(position + count, self._size) > held:
            self._stream.seek(position)
            self._block = read(self._stream, max(count, 4 * STEP))
            self._start, skip = position, 0
        return self._block[skip : skip + count]

    def find(self, wanted: bytes, position: int) -> int:
        """Where some bytes stand from `position` on, or the file's end if nowhere."""
        while self.at(position, len(wanted)):
            found = self._block.find(wanted, position - self._start)
            if found >= 0:
                return self._start + found
            position = max(self._start + len(self._block) - len(wanted) + 1, position + 1)
        return self._size

    def reaches(self, position: int) -> bool:
        """Whether the file has it."""
        return position < self._size

    def free(self, position: int) -> None:
        """The file keeps everything."""


class FedText:
    """Text that comes in order, of which the part from `free`'s position on is kept."""

    seekable = False

    def __init__(self, feed: Iterator[tuple[bytes, bool]]) -> None:
        self.anchors: list[int] = []
        self.mark = 0
        """Where the text of the last member starts."""
        self._feed = feed
        self._kept = bytearray()
        self._start = 0

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on; those before the last `free` are gone."""
        while self._start + len(self._kept) < position + count and self._more(position):
            pass
        skip = max(position - self._start, 0)
        return bytes(memoryview(self._kept)[skip : skip + count])

    def reaches(self, position: int) -> bool:
        """Whether the text has the byte at `position`."""
        while self._start + len(self._kept) <= position:
            if not self._more(0):
                return False
        return True

    def _more(self, position: int) -> bool:
        """Take the next text, of what is kept only that from `position` on; False at the end."""
        try:
            text, opens = next(self._feed)
        except StopIteration:
            return False
        end = self._start + len(self._kept)
        if opens:
            self.mark = end
            if text[:5] == b"WARC/":
                self.anchors.append(end)
        if position > end:
            self._start = end
            self._kept.clear()
        self._kept += text
        return True

    def free(self, position: int) -> None:
        """Forget what lies before `position`, once it is worth the trouble."""
        done = min(position - self._start, len(self._kept))
        if done > STEP:
            del self._kept[:done]
            self._start += done
        while len(self.anchors) > 1 and self.anchors[0] < position:
            del self.anchors[0]


def read(stream: BinaryIO, count: int) -> bytes:
    """Exactly `count` bytes, or all that are left."""
    data = stream.read(count)
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            break
        data += more
    return data


class Codec:
    """The text of an LZ4 or Zstandard file up to where its codec fails."""

    def __init__(self, stream: BinaryIO, magic: bytes) -> None:
        self._source = Watched(stream)
        self._lz4 = magic[:4] == framing.LZ4
        self.failed = False

    def feed(self) -> Iterator[tuple[bytes, bool]]:
        """Text in reads of the size that the definition names."""
        from fastwarc.stream_io import Lz4Reader, ZstdReader

        self._source.seek(0)
        codec = (Lz4Reader if self._lz4 else ZstdReader)(self._source)
        while True:
            try:
                text = codec.read(framing.CODEC_READ)
            except (OSError, ValueError, EOFError):
                if self._source.failure is not None:
                    raise
                self.failed = True
                return
            if not text:
                return
            yield text, False


class Gzip:
    """A walk over the members of a gzip file; `failed` is the offset of the member that ended the last feed, or -1."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = FileText(stream)
        self.position = 0
        self.failed = -1

    def feed(self) -> Iterator[tuple[bytes, bool]]:
        """Text up to the first member that is not whole; each text with whether it opens a member."""
        self.failed = -1
        while self._file.at(self.position, 1):
            begin = self.position
            end = yield from self._member(begin)
            if end < 0:
                self.failed = begin
                return
            self.position = end

    def _member(self, begin: int) -> Generator[tuple[bytes, bool], None, int]:
        if self._file.at(begin, 3) != framing.GZIP:
            yield b"", True
            return -1
        inflater = zlib.decompressobj(31)
        at = begin
        given = 0
        text = b""
        opens = True
        while not inflater.eof:
            raw = self._file.at(at, INPUT)
            try:
                text += inflater.decompress(raw)
            except zlib.error:
                yield text + self._before_error(begin, given + len(text)), opens
                return -1
            at += len(raw)
            if len(text) >= 5 or not opens or not raw or inflater.eof:
                yield text, opens
                given += len(text)
                text, opens = b"", False
            if not raw:
                return -1
        return at - len(inflater.unused_data)

    def _before_error(self, begin: int, given: int) -> bytes:
        """The text of a broken member behind its first `given` bytes, to the last byte before zlib's error."""
        inflater = zlib.decompressobj(31)
        text = b""
        while True:
            raw = self._file.at(begin, SMALL_INPUT)
            before = inflater.copy()
            try:
                more = inflater.decompress(raw)
            except zlib.error:
                return (text + _byte_by_byte(before, raw))[given:]
            begin += len(raw)
            text += more
            passed = min(len(text), given)
            text, given = text[passed:], given - passed

    def resume(self) -> None:
        """Move to the next member behind the failed one whose text starts as a record does, or to the end."""
        at = self.failed + 1
        while True:
            raw = self._file.at(at, STEP)
            hit = raw.find(framing.GZIP)
            if hit < 0:
                if len(raw) < STEP:
                    self.position = at + len(raw)
                    return
                at += len(raw) - 2
                continue
            at += hit
            try:
                if zlib.decompressobj(wbits=31).decompress(self._file.at(at, framing.PROBE), 5) == b"WARC/":
                    self.position = at
                    return
            except zlib.error:
                pass
            at += 1


def _byte_by_byte(inflater: zlib._Decompress, raw: bytes) -> bytes:
    text = b""
    try:
        for index in range(len(raw)):
            text += inflater.decompress(raw[index : index + 1])
    except zlib.error:
        pass
    return text
