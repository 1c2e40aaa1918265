"""Containers as the readers see them: pieces of inflated text that know where in the file they came from.

The definition is in `framing`. A gzip member of ordinary size is inflated at one go by fastwarc's decoder, which was
measured at twice the speed of zlib (788 against 476 MB/s); zlib judges everything else, so that both agree on what is
broken.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from lauter.stages.read import framing
from lauter.stages.read.watched import Watched

BLOCK = 4 << 20
"""Bytes per read from the file: large, since it may lie in an object store."""

PLAIN_PIECE = 1 << 20
FEED = 4 << 10
"""Compressed bytes given to zlib at a time; deflate expands at most 1032-fold, so a bomb's piece stays near 4 MB."""

WHOLE_TEXT = 16 << 20
"""Inflated bytes up to which a member is inflated at one go."""

EMPTY_MEMBER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
"""A gzip member of no text. Put after a member, its start shows where the decoder saw the member end."""

KNOWN_FLAGS = 0x1D
"""Gzip flags FTEXT, FEXTRA, FNAME and FCOMMENT (RFC 1952, 2.3.1); a header CRC or a reserved flag is left to zlib."""


class Piece(NamedTuple):
    """Some text of a stretch. It came from file bytes [start, end); `member` names the gzip member by its offset."""

    text: bytes
    start: int
    end: int
    member: int
    anchor: bool = False


class Break(NamedTuple):
    """File bytes [start, end) that cannot be inflated; `member` is the one that broke, `cut` if it ended early."""

    start: int
    end: int
    member: int
    cut: bool


class Blocks:
    """Random access to a file through large reads, best when read forwards."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size
        self.data = b""
        self.base = 0

    def hold(self, position: int, count: int) -> int:
        """Have `count` bytes from `position` on (fewer at the end of the file) in `data`; return their index there."""
        last = min(position + count, self.size)
        if self.base <= position and last <= self.base + len(self.data):
            return position - self.base
        kept = b""
        if self.base <= position < self.base + len(self.data):
            kept = self.data[position - self.base :]
        parts = [kept]
        reached = position + len(kept)
        self._stream.seek(reached)
        while reached < last:
            part = self._stream.read(max(BLOCK, last - reached))
            if not part:
                self.size = reached
                break
            parts.append(part)
            reached += len(part)
        self.data = b"".join(parts)
        self.base = position
        return 0

    def take(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on."""
        index = self.hold(position, count)
        return self.data[index : index + count]


class Plain:
    """The pieces of a file without compression; `position` may be set to go on elsewhere."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.position = 0

    def __iter__(self) -> Iterator[Piece | Break]:
        """Pieces from `position` to the end of the file."""
        return self

    def __next__(self) -> Piece:
        """The next piece."""
        start = self.position
        text = self.blocks.take(start, PLAIN_PIECE)
        if not text:
            raise StopIteration
        self.position += len(text)
        return Piece(text, start, self.position, start)


class Container(NamedTuple):
    """An opened file: its first bytes, its size in bytes, its text, and `plain` if the text is the file itself."""

    first: bytes
    size: int
    pieces: Iterator[Piece | Break]
    plain: Plain | None


def opened(stream: BinaryIO) -> Container:
    """The container that the first bytes name; nothing is inflated yet."""
    stream.seek(0, 2)
    size = stream.tell()
    blocks = Blocks(stream, size)
    first = blocks.take(0, framing.MAGIC_BYTES)
    if first.startswith(framing.GZIP):
        return Container(first, size, gzip_pieces(blocks), None)
    if first.startswith((framing.LZ4, *framing.ZSTD)):
        return Container(first, size, codec_pieces(stream, size, first), None)
    plain = Plain(blocks)
    return Container(first, size, plain, plain)


def codec_pieces(stream: BinaryIO, size: int, first: bytes) -> Iterator[Piece | Break]:
    """The text of an LZ4 or Zstandard file (dictionary in a skippable frame included), up to where its codec fails."""
    from fastwarc.stream_io import Lz4Reader, ZstdReader

    stream.seek(0)
    watched = Watched(stream)
    codec = Lz4Reader(watched) if first.startswith(framing.LZ4) else ZstdReader(watched)
    start = reached = 0
    while True:
        try:
            text = codec.read(framing.CODEC_READ)
        except (OSError, ValueError, EOFError):
            if watched.failure is not None:
                raise
            yield Break(reached, size, 0, cut=False)
            return
        if not text:
            return
        # The codec's position moves by whole blocks; several reads may come from one.
        try:
            position = min(int(codec.inner_tell()), size)
        except OSError:
            # A codec that stands before bad bytes does not tell its position; the next read names the break.
            position = reached
        if position > reached:
            start, reached = reached, position
        yield Piece(text, start, reached, 0)


def gzip_pieces(blocks: Blocks) -> Iterator[Piece | Break]:
    """The text of a gzip file member by member, and a break where bytes are no whole member."""
    position = 0
    while position < blocks.size:
        whole = _whole_member(blocks, position)
        if whole is not None:
            yield whole
            position = whole.end
            continue
        end, cut = yield from _member(blocks, position)
        if end < 0:
            end = _next_member(blocks, position + 1)
            yield Break(position, end, position, cut)
        position = end


def _whole_member(blocks: Blocks, start: int) -> Piece | None:
    """The member at `start`, if it is short and sound; None leaves it to zlib.

    The next member's magic, or the end of the file, is taken for the member's end; the size that stands before it says
    how much to inflate; that the decoder then starts its next member exactly there proves both, and it has checked the
    CRC.
    """
    from fastwarc.stream_io import GzipReader

    at = blocks.hold(start, 18)
    found = blocks.data.find(framing.GZIP, at + 18)
    if found < 0:
        at = blocks.hold(start, BLOCK + 3)
        found = blocks.data.find(framing.GZIP, at + 18)
        if found < 0:
            if blocks.base + len(blocks.data) < blocks.size:
                return None
            found = len(blocks.data)
    if (
        not 18 <= found - at <= BLOCK
        or blocks.data[at + 3] & ~KNOWN_FLAGS
        or not blocks.data.startswith(framing.GZIP, at)
    ):
        return None
    length = int.from_bytes(blocks.data[found - 4 : found], "little")
    if length > WHOLE_TEXT:
        return None
    decoder = GzipReader(io.BytesIO(blocks.data[at:found] + EMPTY_MEMBER), fsspec_args=False)
    try:
        text = decoder.read(length + 1)
        if len(text) != length or decoder.frame_start_position() != found - at:
            return None
    except OSError:
        return None
    return Piece(text, start, start + found - at, start, text.startswith(b"WARC/"))


def _member(blocks: Blocks, start: int) -> Generator[Piece, None, tuple[int, bool]]:
    """Pieces of the member at `start` by zlib; returns its end, or -1 and whether it was merely cut."""
    if blocks.take(start, 3) != framing.GZIP:
        return -1, False
    decoder = zlib.decompressobj(31)
    position = start
    held = b""
    opened = False
    sound = True
    while sound and not decoder.eof:
        block = blocks.take(position, FEED)
        if not block:
            break
        # A piece is held back until more text follows, so that the last one ends where the member ends.
        spare = decoder.copy()
        try:
            text = decoder.decompress(block)
            used = len(block) - len(decoder.unused_data)
        except zlib.error:
            text, used = _longest_prefix(spare, block)
            sound = False
        if text and (opened or len(held) >= 5):
            yield Piece(held, start, position, start, not opened and held.startswith(b"WARC/"))
            held, opened = text, True
        else:
            held += text
        position += used
    if held:
        yield Piece(held, start, position, start, not opened and held.startswith(b"WARC/"))
    return (position, False) if sound and decoder.eof else (-1, sound)


def _longest_prefix(decoder: zlib._Decompress, block: bytes) -> tuple[bytes, int]:
    """What `decoder` makes of the longest prefix of `block` that it takes without an error, and its length."""
    good, bad = 0, len(block)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            decoder.copy().decompress(block[:middle])
            good = middle
        except zlib.error:
            bad = middle
    return decoder.decompress(block[:good]), good


def _next_member(blocks: Blocks, position: int) -> int:
    """Offset of the next gzip member from `position` on whose text starts as a WARC record does, or the file's end."""
    while position < blocks.size:
        at = blocks.hold(position, framing.PROBE)
        found = blocks.data.find(framing.GZIP, at)
        if found < 0:
            position = max(position + 1, blocks.base + len(blocks.data) - 2)
            if position + 2 >= blocks.size:
                break
            continue
        position = blocks.base + found
        try:
            if zlib.decompressobj(31).decompress(blocks.take(position, framing.PROBE), 5) == b"WARC/":
                return position
        except zlib.error:
            pass
        position += 1
    return blocks.size
