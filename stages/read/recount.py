"""The second count of a WARC file: plain code over zlib and byte searches, independent of the reader.

It follows the definition in `framing`, shares no code with `records` or `containers`, and decodes no HTTP. LZ4 and Zstandard are the
exception: their codec is the one that the reader uses, since the standard library has none.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, Protocol

from lauter.pipeline.contract import FileCount
from lauter.stages.read import framing

_COUNTED = (b"response", b"resource", b"conversion")
_ENDS = b"\r\n"
_STEP = 1 << 18


class _Text(Protocol):
    """The text of a stretch by position."""

    seekable: bool
    anchors: list[int]

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on, fewer only at the stretch's end."""
        ...

    def free(self, position: int) -> None:
        """Nothing before `position` will be asked for again."""


class _FileText:
    """A plain file."""

    seekable = True

    def __init__(self, stream: BinaryIO) -> None:
        self.anchors: list[int] = []
        self._stream = stream
        self._start = 0
        self._block = b""

    def at(self, position: int, count: int) -> bytes:
        skip = position - self._start
        if skip < 0 or skip + count > len(self._block):
            self._stream.seek(position)
            self._block = _read(self._stream, max(count, 4 * _STEP))
            self._start, skip = position, 0
        return self._block[skip : skip + count]

    def free(self, position: int) -> None:
        """The file keeps everything."""


class _FedText:
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
        while self._start + len(self._kept) < position + count:
            try:
                text, opens = next(self._feed)
            except StopIteration:
                break
            if opens:
                self.mark = self._start + len(self._kept)
                if text[:5] == b"WARC/":
                    self.anchors.append(self.mark)
            if position > self._start + len(self._kept):
                self._start += len(self._kept)
                self._kept.clear()
            self._kept += text
        skip = max(position - self._start, 0)
        return bytes(memoryview(self._kept)[skip : skip + count])

    def free(self, position: int) -> None:
        done = min(position - self._start, len(self._kept))
        if done > _STEP:
            del self._kept[:done]
            self._start += done
        while len(self.anchors) > 1 and self.anchors[0] < position:
            del self.anchors[0]


class _Tally:
    """What was counted, and how the last item of a stretch ended, which a break may take back."""

    def __init__(self) -> None:
        self.records = 0
        self.corrupt = 0
        self.last_end = 0
        self.last_kind = b""

    def record(self, kind: bytes, end: int) -> None:
        self.records += kind in _COUNTED
        self.last_kind, self.last_end = kind, end

    def damage(self, end: int) -> None:
        self.corrupt += 1
        self.last_kind, self.last_end = b"", end

    def take_back(self, mark: int) -> None:
        """A break: one corrupt range, instead of the last item if that reaches behind `mark`."""
        if self.last_end > mark:
            self.records -= self.last_kind in _COUNTED
            self.corrupt -= self.last_kind == b""
        self.corrupt += 1
        self.last_end = 0


def count_warc(stream: BinaryIO, max_record_bytes: int) -> FileCount:
    """Records and corrupt ranges of a WARC file, or of any other bytes."""
    tally = _Tally()
    stream.seek(0)
    magic = _read(stream, framing.MAGIC_BYTES)
    if any(magic[: len(foreign)] == foreign for foreign in framing.FOREIGN):
        return FileCount(0, 1)
    if magic[:3] == framing.GZIP:
        return _count_gzip(stream, max_record_bytes, tally)
    if magic[:4] == framing.LZ4 or magic[:4] in framing.ZSTD:
        state = {"failed": False}
        text = _FedText(_codec_feed(stream, magic, state))
        if text.at(0, len(framing.ARC)) == framing.ARC:
            return FileCount(0, 1)
        _count_stretch(text, max_record_bytes, tally)
        if state["failed"]:
            tally.take_back(0)
    else:
        _count_stretch(_FileText(stream), max_record_bytes, tally)
    return FileCount(tally.records, tally.corrupt)


def _read(stream: BinaryIO, count: int) -> bytes:
    """Exactly `count` bytes, or all that are left."""
    data = stream.read(count)
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            break
        data += more
    return data


def _codec_feed(stream: BinaryIO, magic: bytes, state: dict[str, bool]) -> Iterator[tuple[bytes, bool]]:
    from fastwarc.stream_io import Lz4Reader, ZstdReader

    stream.seek(0)
    codec = (Lz4Reader if magic[:4] == framing.LZ4 else ZstdReader)(stream)
    while True:
        try:
            text = codec.read(framing.CODEC_READ)
        except (OSError, ValueError, EOFError):
            state["failed"] = True
            return
        if not text:
            return
        yield text, False


class _Gzip:
    """A walk over the members of a gzip file; `failed` is the offset of the member that ended the last feed, or -1."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = _FileText(stream)
        self.position = 0
        self.failed = -1

    def feed(self) -> Iterator[tuple[bytes, bool]]:
        """Text from `position` on, up to the first member that is not whole; each text with whether it opens a member."""
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
        text = b""
        opens = True
        good = True
        while good and not inflater.eof:
            raw = self._file.at(at, 8192)
            if not raw:
                good = False
                break
            before = inflater.copy()
            try:
                text += inflater.decompress(raw)
            except zlib.error:
                text += _byte_by_byte(before, raw)
                good = False
            at += len(raw)
            if len(text) >= 5 or not opens:
                yield text, opens
                text, opens = b"", False
        if text or opens:
            yield text, opens
        return at - len(inflater.unused_data) if good else -1

    def resume(self) -> None:
        """Move to the next member behind the failed one whose text starts as a record does, or to the end."""
        at = self.failed + 1
        while True:
            raw = self._file.at(at, _STEP)
            hit = raw.find(framing.GZIP)
            if hit < 0:
                if len(raw) < _STEP:
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


def _count_gzip(stream: BinaryIO, limit: int, tally: _Tally) -> FileCount:
    walk = _Gzip(stream)
    first = True
    while True:
        text = _FedText(walk.feed())
        if first and text.at(0, len(framing.ARC)) == framing.ARC:
            return FileCount(0, 1)
        first = False
        _count_stretch(text, limit, tally)
        if walk.failed < 0:
            return FileCount(tally.records, tally.corrupt)
        tally.take_back(text.mark)
        walk.resume()


def _count_stretch(text: _Text, limit: int, tally: _Tally) -> None:
    position = 0
    tally.last_end = 0
    while True:
        ahead = text.at(position, 64)
        while ahead and not ahead.strip(_ENDS):
            position += len(ahead)
            text.free(position)
            ahead = text.at(position, 4096)
        if not ahead:
            return
        position += len(ahead) - len(ahead.lstrip(_ENDS))
        text.free(position)
        size, length, kind = _header(text, position)
        if size < 0:
            position = _next_start(text, position)
            tally.damage(position)
            continue
        content = position + size
        if length > limit and not text.seekable:
            position = _pass_over(text, position, content + length, kind, tally)
            continue
        missing = length > 0 and not _reaches(text, content, length, limit)
        if missing or any(position < anchor < content + length for anchor in text.anchors):
            tail = -1
        else:
            tail = _newlines(text, content + length)
        if tail < 0:
            position = _next_start(text, position)
            tally.damage(position)
        else:
            position = content + length + tail
            tally.record(kind, position)


def _reaches(text: _Text, content: int, length: int, limit: int) -> bool:
    """Whether the stretch has the whole content; looked at whole only where it will be wanted again."""
    if text.seekable:
        return len(text.at(content + length - 1, 1)) == 1
    return len(text.at(content, length)) == length


def _header(text: _Text, position: int) -> tuple[int, int, bytes]:
    """Size of the header block, content length and type; size -1 if it is no well-formed header."""
    none = (-1, 0, b"")
    if text.at(position, 5) != b"WARC/":
        return none
    block = text.at(position, 1024)
    if b"\n\n" not in block and b"\n\r\n" not in block:
        block = text.at(position, framing.MAX_HEADER)
    fields: list[bytes] = []
    at = 0
    while True:
        end = block.find(b"\n", at)
        if end < 0:
            return none
        line = block[at:end]
        start, at = at, end + 1
        if line in (b"", b"\r"):
            break
        if start == 0:
            major, dot, minor = line.removesuffix(b"\r")[5:].partition(b".")
            if not (dot and major.isdigit() and minor.isdigit()):
                return none
        elif line[:5] == b"WARC/":
            return none
        elif line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\n" + line
        else:
            fields.append(line)
    if any(position < anchor < position + at for anchor in text.anchors):
        return none
    lengths: set[int] = set()
    kind = b""
    for name, _, value in (field.partition(b":") for field in fields if b":" in field):
        name, value = name.rstrip(b" \t").lower(), value.strip(b" \t\r\n")
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                return none
            lengths.add(int(value))
        elif name == b"warc-type" and not kind:
            kind = value.lower() or b"unknown"
    return (at, lengths.pop(), kind or b"unknown") if len(lengths) == 1 else none


def _newlines(text: _Text, position: int) -> int:
    """How many bytes of a record's tail belong to it, or -1 if what follows is no tail."""
    if text.at(position, 4) == b"\r\n\r\n":
        return 4
    count = 0
    while count <= framing.MAX_TAIL:
        byte = text.at(position + count, 1)
        if byte and byte in _ENDS:
            count += 1
            continue
        if byte and text.at(position + count, 5) != b"WARC/":
            return -1
        return min(count, 4)
    return -1


def _next_start(text: _Text, position: int) -> int:
    """Position of the next header start behind `position`, or of the stretch's end."""
    at = position
    while True:
        raw = text.at(at, _STEP)
        hit = raw.find(b"\nWARC/")
        starts = [at + hit + 1] if hit >= 0 else []
        starts += [anchor for anchor in text.anchors if position < anchor and anchor < at + len(raw)]
        if starts:
            return min(starts)
        if len(raw) < _STEP:
            return at + len(raw)
        at += len(raw) - 5
        text.free(at)


def _pass_over(text: _Text, begin: int, end: int, kind: bytes, tally: _Tally) -> int:
    """Pass over a large record in a compressed file; return where framing goes on."""
    at = begin
    while at < end:
        raw = text.at(at, min(_STEP, end - at))
        anchors = [anchor for anchor in text.anchors if begin < anchor < min(end, at + len(raw))]
        if anchors:
            tally.damage(anchors[0])
            return anchors[0]
        if not raw:
            tally.damage(at)
            return at
        at += len(raw)
        text.free(at)
    tail = _newlines(text, end)
    if tail < 0:
        tally.damage(end)
        return end
    tally.record(kind, end + tail)
    return end + tail
