"""The reader's framing: stretches of text to records and corrupt ranges. The definition is in `framing`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from lauter.stages.read import framing
from lauter.stages.read.containers import Break, Piece, Plain, opened

RECORD_TYPES = frozenset({b"response", b"resource", b"conversion"})
OTHER_TYPES = frozenset({b"warcinfo", b"request", b"metadata", b"revisit", b"continuation"})

_PADDING = re.compile(rb"[\r\n]*")
_HEADER_END = re.compile(rb"\n\r?\n")
_VERSION = re.compile(rb"WARC/[0-9]+\.[0-9]+\r?\n")
_LENGTH = re.compile(rb"^content-length[ \t]*:(.*(?:\n[ \t].*)*)$", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^warc-type[ \t]*:(.*(?:\n[ \t].*)*)$", re.IGNORECASE | re.MULTILINE)
_DIGITS = re.compile(rb"[0-9]{1,18}")

BLANKS = b" \t\r\n"
"""Bytes around a field's value that are no part of it."""


class Frame(NamedTuple):
    """One item of a file: a record of file bytes [start, end), or with a `reason` something that is not one.

    `kind` is the record's type, one of the eight of the standard or `unknown`, and empty for a corrupt range. `head`
    is the header block; `block` the content, empty if there is a reason. `member` is where the container's member
    starts that holds the last byte.
    """

    kind: bytes
    head: bytes
    block: bytes | memoryview
    start: int
    end: int
    member: int
    reason: str | None = None


class _Span(NamedTuple):
    first: int
    piece: Piece


class _Window:
    """The text of one stretch that is not framed yet. Positions count the stretch's text from 0."""

    def __init__(self, pieces: Iterator[Piece | Break], first: Piece | None, plain: Plain | None) -> None:
        self._pieces = pieces
        self.plain = plain
        self.text: bytes | bytearray = b""
        self.base = 0
        self.position = 0
        self.ended = False
        self.broken: Break | None = None
        self._spans: list[_Span] = []
        if first is not None:
            self._append(first)

    @property
    def end(self) -> int:
        """Position after the last byte at hand."""
        return self.base + len(self.text)

    def _append(self, piece: Piece) -> None:
        self._forget()
        self._spans.append(_Span(self.end, piece))
        if not self.text:
            self.text = piece.text
        else:
            if not isinstance(self.text, bytearray):
                self.text = bytearray(self.text)
            self.text += piece.text

    def _forget(self) -> None:
        done = self.position - self.base
        if done:
            self.text = b"" if done >= len(self.text) else self.text[done:]
            self.base = self.position
            while len(self._spans) > 1 and self._spans[1].first <= self.position:
                del self._spans[0]

    def more(self) -> bool:
        """Append the next piece; False at the end of the stretch."""
        if self.ended:
            return False
        item = next(self._pieces, None)
        if isinstance(item, Piece):
            self._append(item)
            return True
        self.ended = True
        self.broken = item
        return False

    def fill(self, position: int) -> bool:
        """Have the text up to `position`; False if the stretch ends before."""
        while self.end < position:
            if not self.more():
                return False
        return True

    def slice(self, start: int, end: int) -> bytes:
        """Text [start, end), as far as it is at hand."""
        return bytes(memoryview(self.text)[start - self.base : max(end - self.base, 0)])

    def view(self, start: int, end: int) -> bytes | memoryview:
        """Text [start, end), without a copy where it is most of what would be kept alive by it."""
        if isinstance(self.text, bytes) and 2 * (end - start) > len(self.text):
            return memoryview(self.text)[start - self.base : end - self.base]
        return self.slice(start, end)

    def anchor(self, after: int) -> int:
        """The first anchor at hand behind position `after`, or -1."""
        for span in self._spans:
            if span.first > after and span.piece.anchor:
                return span.first
        return -1

    def jump(self, position: int) -> None:
        """Go on at `position`: at hand, or anywhere in a plain file."""
        if self.plain is not None and position > self.end:
            self.plain.position = position
            self.text, self.base, self._spans = b"", position, []
        self.position = position

    def _span(self, position: int) -> Piece:
        for span in reversed(self._spans):
            if span.first <= position:
                return span.piece
        return self._spans[0].piece

    def starts_at(self, position: int) -> int:
        """File offset where the text at `position` starts: a gzip member's, or the very byte in a plain file."""
        return position if self.plain is not None else self._span(position).start

    def ends_at(self, position: int) -> tuple[int, int]:
        """File offset behind the text before `position`, and the member that holds its last byte."""
        if self.plain is not None:
            return position, 0
        piece = self._span(position - 1)
        return piece.end, piece.member


def frames(stream: BinaryIO, max_record_bytes: int) -> Iterator[Frame]:
    """Every item of a WARC file in order, whatever its bytes are; memory stays near `max_record_bytes`."""
    first, size, pieces, plain = opened(stream)
    if not first:
        return
    whole = Frame(b"", b"", b"", 0, size, -1, "unsupported-format")
    if first.startswith(framing.FOREIGN):
        yield whole
        return
    opening = _Window(pieces, None, plain)
    opening.fill(len(framing.ARC))
    if opening.slice(0, len(framing.ARC)) == framing.ARC:
        yield whole
        return
    foreign = opening.slice(0, 5) != b"WARC/"
    for number, frame in enumerate(_joined(opening, pieces, max_record_bytes)):
        # A file that is one garbage range from end to end was never a WARC file.
        lone = number == 0 and foreign and not frame.kind and (frame.start, frame.end) == (0, size)
        yield frame._replace(reason="unsupported-format") if lone else frame


def _joined(window: _Window, pieces: Iterator[Piece | Break], limit: int) -> Iterator[Frame]:
    """The items of all stretches, with a corrupt range for each break."""
    held: Frame | None = None
    while True:
        for frame in _stretch(window, limit):
            if held is not None:
                yield held
            held = frame
        broken = window.broken
        if broken is None:
            break
        start = broken.start
        if held is not None and held.member == broken.member:
            start = min(start, held.start)
        elif held is not None:
            yield held
        held = Frame(b"", b"", b"", start, broken.end, -1, "truncated" if broken.cut else "corrupt-range")
        following = next(pieces, None)
        while isinstance(following, Break):
            yield held
            held = Frame(
                b"", b"", b"", following.start, following.end, -1, "truncated" if following.cut else "corrupt-range"
            )
            following = next(pieces, None)
        if following is None:
            break
        window = _Window(pieces, following, None)
    if held is not None:
        yield held


def _stretch(window: _Window, limit: int) -> Iterator[Frame]:
    """The items of one stretch."""
    while True:
        _skip_padding(window)
        begin = window.position
        if not window.fill(begin + 1):
            return
        window.fill(begin + 5)
        if window.slice(begin, begin + 5) != b"WARC/":
            yield _corrupt(window, begin)
            continue
        header_end = _header_end(window, begin)
        head = window.slice(begin, header_end)
        length = _content_length(head) if header_end > 0 else -1
        if length < 0:
            yield _corrupt(window, begin)
            continue
        kind = _kind(head)
        if length > limit:
            yield _large(window, begin, header_end + length, kind, head)
            continue
        content_end = header_end + length
        complete = window.fill(content_end)
        anchor = window.anchor(begin)
        if not complete or 0 <= anchor < content_end:
            yield _corrupt(window, begin, cut=not complete)
            continue
        tail = _tail(window, content_end)
        if tail < 0:
            yield _corrupt(window, begin)
            continue
        block = window.view(header_end, content_end) if kind in RECORD_TYPES else b""
        end, member = window.ends_at(content_end + tail)
        start = window.starts_at(begin)
        window.position = content_end + tail
        yield Frame(kind, head, block, start, end, member)


def _skip_padding(window: _Window) -> None:
    while True:
        found = _PADDING.match(window.text, window.position - window.base)
        if found is not None:
            window.position = window.base + found.end()
        if window.position < window.end or not window.more():
            return


def _header_end(window: _Window, begin: int) -> int:
    """Position behind the header block at `begin`, or -1 if it is malformed as far as its extent goes."""
    while True:
        index = begin - window.base
        found = _HEADER_END.search(window.text, index, index + framing.MAX_HEADER)
        if found is not None:
            end = window.base + found.end()
            return -1 if 0 <= window.anchor(begin) < end else end
        if window.end - begin >= framing.MAX_HEADER or not window.more():
            return -1


def _content_length(head: bytes) -> int:
    """The content's declared length, or -1 if the header block is malformed."""
    if _VERSION.match(head) is None or b"\nWARC/" in head:
        return -1
    values = {value.strip(BLANKS) for value in _LENGTH.findall(head)}
    if not values or not all(_DIGITS.fullmatch(value) for value in values):
        return -1
    numbers = {int(value) for value in values}
    return numbers.pop() if len(numbers) == 1 else -1


def _kind(head: bytes) -> bytes:
    found = _TYPE.search(head)
    kind = found[1].strip(BLANKS).lower() if found is not None else b""
    return kind if kind in RECORD_TYPES or kind in OTHER_TYPES else b"unknown"


def _tail(window: _Window, position: int) -> int:
    """Bytes of the record's tail at `position` that belong to it (at most four), or -1 if it has none."""
    window.fill(position + 4)
    tail = window.slice(position, position + 4)
    if tail == b"\r\n\r\n":
        return 4
    window.fill(position + framing.MAX_TAIL + 5)
    return _tail_size(window.slice(position, position + framing.MAX_TAIL + 5))


def _tail_size(text: bytes) -> int:
    """The same of the `MAX_TAIL` + 5 bytes behind a record's content (fewer at the end of the stretch)."""
    if text.startswith(b"\r\n\r\n"):
        return 4
    rest = text.lstrip(b"\r\n")
    newlines = len(text) - len(rest)
    if newlines > framing.MAX_TAIL or (rest and not rest.startswith(b"WARC/")):
        return -1
    return min(newlines, 4)


def _corrupt(window: _Window, begin: int, *, cut: bool = False) -> Frame:
    """The corrupt range from `begin` to the next header start or the end of the stretch; the window moves there."""
    start = window.starts_at(begin)
    searched = begin
    while True:
        index = window.text.find(b"\nWARC/", searched - window.base)
        anchor = window.anchor(begin)
        found = index + 1 + window.base if index >= 0 else anchor
        if 0 <= anchor < found:
            found = anchor
        if found >= 0:
            break
        # The last five bytes may be the beginning of a header start; the last one names where the range ends.
        searched = max(searched, window.end - 5)
        window.position = searched
        if not window.more():
            found = window.end
            break
    end, member = window.ends_at(found)
    reached_end = window.ended and found == window.end
    window.position = found
    reason = "truncated" if cut and reached_end and window.broken is None else "corrupt-range"
    return Frame(b"", b"", b"", start, end, member, reason)


def _large(window: _Window, begin: int, content_end: int, kind: bytes, head: bytes) -> Frame:
    """A record with more content than the limit: passed over, or a corrupt range if its tail is not there."""
    start = window.starts_at(begin)
    if window.plain is not None:
        held = (
            window.plain.blocks.take(content_end, framing.MAX_TAIL + 5)
            if content_end <= window.plain.blocks.size
            else None
        )
        tail = -1 if held is None else _tail_size(held)
        if tail < 0:
            return _corrupt(window, begin, cut=held is None)
        window.jump(content_end + tail)
        return Frame(kind, head, b"", start, content_end + tail, 0, "record-too-large")
    while True:
        anchor = window.anchor(begin)
        if 0 <= anchor < content_end:
            end, member = window.ends_at(anchor)
            window.position = anchor
            return Frame(b"", b"", b"", start, end, member, "corrupt-range")
        if window.end >= content_end:
            break
        end, member = window.ends_at(window.end)
        window.position = max(begin + 1, window.end)
        if not window.more():
            return Frame(b"", b"", b"", start, end, member, "truncated")
    window.position = content_end
    end, member = window.ends_at(content_end)
    tail = _tail(window, content_end)
    if tail < 0:
        return Frame(b"", b"", b"", start, end, member, "corrupt-range")
    if tail:
        end, member = window.ends_at(content_end + tail)
    window.position = content_end + tail
    return Frame(kind, head, b"", start, end, member, "record-too-large")
