"""The second count of WARC and JSONL files: plain code, independent of the readers.

It follows the definition in `framing`, shares no code with `records` or `containers`, and decodes no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lauter.pipeline.contract import FileCount
from lauter.stages.read import framing
from lauter.stages.read.recount_text import STEP, Codec, FedText, FileText, Gzip, Text, read

COUNTED = (b"response", b"resource", b"conversion")
"""The types of records that are rows."""

_ENDS = b"\r\n"


class _Tally:
    """What was counted, and how the last item of a stretch ended, which a break may take back."""

    def __init__(self) -> None:
        self.records = 0
        self.corrupt = 0
        self.last_end = 0
        self.last_kind = b""

    def record(self, kind: bytes, end: int) -> None:
        self.records += kind in COUNTED
        self.last_kind, self.last_end = kind, end

    def damage(self, end: int) -> None:
        self.corrupt += 1
        self.last_kind, self.last_end = b"", end

    def take_back(self, mark: int) -> None:
        """A break: one corrupt range, instead of the last item if that reaches behind `mark`."""
        if self.last_end > mark:
            self.records -= self.last_kind in COUNTED
            self.corrupt -= self.last_kind == b""
        self.corrupt += 1
        self.last_end = 0


def count_warc(stream: BinaryIO, max_record_bytes: int) -> FileCount:
    """Records and corrupt ranges of a WARC file, or of any other bytes."""
    tally = _Tally()
    stream.seek(0)
    magic = read(stream, framing.MAGIC_BYTES)
    if any(magic[: len(foreign)] == foreign for foreign in framing.FOREIGN):
        return FileCount(0, 1)
    if magic[:3] == framing.GZIP:
        return _count_gzip(stream, max_record_bytes, tally)
    if magic[:4] == framing.LZ4 or magic[:4] in framing.ZSTD:
        codec = Codec(stream, magic)
        text = FedText(codec.feed())
        if text.at(0, len(framing.ARC)) == framing.ARC:
            return FileCount(0, 1)
        _count_stretch(text, max_record_bytes, tally)
        if codec.failed:
            tally.take_back(0)
    else:
        _count_stretch(FileText(stream), max_record_bytes, tally)
    return FileCount(tally.records, tally.corrupt)


def count_lines(stream: BinaryIO) -> FileCount:
    """Lines of a text file that hold more than spaces, tabs and CRs; a break of its compression is one corrupt range.

    An unfinished line before a break is part of it. Foreign formats (`framing.FOREIGN`) are one corrupt range.
    """
    stream.seek(0)
    magic = read(stream, framing.MAGIC_BYTES)
    if any(magic[: len(foreign)] == foreign for foreign in framing.FOREIGN):
        return FileCount(0, 1)
    codec: Codec | None = None
    walk: Gzip | None = None
    texts: Iterator[bytes]
    if magic[:3] == framing.GZIP:
        walk = Gzip(stream)
        texts = (text for text, _ in walk.feed())
    elif magic[:4] == framing.LZ4 or magic[:4] in framing.ZSTD:
        codec = Codec(stream, magic)
        texts = (text for text, _ in codec.feed())
    else:
        stream.seek(0)
        texts = iter(lambda: stream.read(STEP), b"")
    lines = 0
    pending = False
    for text in texts:
        *done, rest = text.split(b"\n")
        for line in done:
            lines += pending or bool(line.strip(b" \t\r"))
            pending = False
        pending = pending or bool(rest.strip(b" \t\r"))
    if (codec is not None and codec.failed) or (walk is not None and walk.failed >= 0):
        return FileCount(lines, 1)
    return FileCount(lines + pending)


def _count_gzip(stream: BinaryIO, limit: int, tally: _Tally) -> FileCount:
    walk = Gzip(stream)
    first = True
    while True:
        text = FedText(walk.feed())
        if first and text.at(0, len(framing.ARC)) == framing.ARC:
            return FileCount(0, 1)
        first = False
        _count_stretch(text, limit, tally)
        if walk.failed < 0:
            return FileCount(tally.records, tally.corrupt)
        tally.take_back(text.mark)
        walk.resume()


def _count_stretch(text: Text, limit: int, tally: _Tally) -> None:
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
        size, length, kind = header(text, position)
        if size < 0:
            position = _next_start(text, position)
            tally.damage(position)
            continue
        content = position + size
        if length > limit and not text.seekable:
            position = _pass_over(text, position, content + length, kind, tally)
            continue
        missing = length > 0 and not text.reaches(content + length - 1)
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


def header(text: Text, position: int) -> tuple[int, int, bytes]:
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


def _newlines(text: Text, position: int) -> int:
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


def _next_start(text: Text, position: int) -> int:
    """Position of the next header start behind `position`, or of the stretch's end."""
    at = position
    while True:
        raw = text.at(at, STEP)
        hit = raw.find(b"\nWARC/")
        starts = [at + hit + 1] if hit >= 0 else []
        starts += [anchor for anchor in text.anchors if position < anchor and anchor < at + len(raw)]
        if starts:
            return min(starts)
        if len(raw) < STEP:
            return at + len(raw)
        at += len(raw) - 5
        text.free(at)


def _pass_over(text: Text, begin: int, end: int, kind: bytes, tally: _Tally) -> int:
    """Pass over a large record in a compressed file; return where framing goes on."""
    at = begin
    while at < end:
        raw = text.at(at, min(STEP, end - at))
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
